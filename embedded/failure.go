package embedded

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// errUnwritable closes the connections of a broker that has failed.
var errUnwritable = errors.New("the broker can no longer write")

// failure stops a broker that can no longer write to its disk. kfake goes on in memory where a write
// fails, and answers as if markers and offsets were there; a kill would then take back what readers have
// seen. So the first failed write is the last request that is answered: what is on disk is as after a
// kill, which the next start knows how to finish.
type failure struct {
	once sync.Once
	what string
	done chan struct{}
}

func newFailure() *failure { return &failure{done: make(chan struct{})} }

// note reads kfake's log lines; only failed writes matter.
func (f *failure) note(format, text string) {
	if strings.HasPrefix(format, "persist ") {
		f.fail(text)
	}
}

func (f *failure) fail(what string) {
	f.once.Do(func() {
		f.what = what
		close(f.done)
	})
}

func (f *failure) failed() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

// refuse lets no request through once the broker has failed. kfake handles one request at a time, and
// says that a write failed before it looks at the next.
func (f *failure) refuse(cluster *kfake.Cluster) {
	cluster.Control(func(kmsg.Request) (kmsg.Response, error, bool) {
		if !f.failed() {
			return nil, nil, false
		}
		cluster.KeepControl()
		return nil, errUnwritable, true
	})
}

// Wait returns an error once the services cannot go on, and nil when ctx ends.
func (s *Services) Wait(ctx context.Context) error {
	f := s.broker.failure
	select {
	case <-f.done:
		return errors.New("cannot write to the data directory " + s.dir + " (" + f.what + "): make room and start again; everything that got a success code is kept")
	case <-ctx.Done():
		return nil
	}
}
