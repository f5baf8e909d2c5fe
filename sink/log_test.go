package sink

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestKafkaLogDoesNotRepeatItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := newKafkaLog(slog.New(slog.NewTextHandler(&out, nil)))
		if l.Level() != kgo.LogLevelWarn {
			t.Errorf("level %v without debug, want warnings only", l.Level())
		}
		for range 100 {
			l.Log(kgo.LogLevelWarn, "unable to dial", "broker", 1)
			l.Log(kgo.LogLevelInfo, "beginning transaction")
		}
		l.Log(kgo.LogLevelError, "something else")
		time.Sleep(repeatAfter)
		l.Log(kgo.LogLevelWarn, "unable to dial", "broker", 1)
		if n := strings.Count(out.String(), "unable to dial"); n != 2 {
			t.Errorf("the warning was shown %d times, want 2", n)
		}
		if n := strings.Count(out.String(), "\n"); n != 3 {
			t.Errorf("%d lines, want 3:\n%s", n, out.String())
		}
	})
}
