package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/kycbridge/kycbridge/embedded/repair"
)

// sizeLimit is the topic's setting for its largest record batch, in bytes.
const sizeLimit = "max.message.bytes"

// broker is the embedded Kafka: kfake, its repairs, and the commit log.
type broker struct {
	addr    string
	cluster *kfake.Cluster
	commits *commitLog
	failure *failure
}

func startBroker(ctx context.Context, dir, commitPath string, o Options) (*broker, error) {
	ln, err := listen(ctx, o.KafkaAddr)
	if err != nil {
		return nil, err
	}
	commits, err := openCommitLog(commitPath, dir)
	if err != nil {
		ln.Close()
		return nil, err
	}
	if err := recoverBroker(dir, commits, o.Logger); err != nil {
		return nil, errors.Join(fmt.Errorf("recover the embedded broker in %s: %w", dir, err), ln.Close(), commits.close())
	}
	guarded := newGuard(ln, o.Logger)
	limit := strconv.Itoa(int(o.MaxMessageBytes))
	failure := newFailure()
	asks, err := authentication(dir, o.Password)
	if err != nil {
		return nil, errors.Join(err, guarded.Close(), commits.close())
	}
	cluster, err := kfake.NewCluster(append(asks,
		kfake.NumBrokers(1),
		kfake.ClusterID("kycbridge-dev"),
		kfake.DataDir(dir),
		kfake.SyncWrites(),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return guarded, nil }),
		kfake.WithLogger(brokerLog{o.Logger, failure}),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": limit}),
	)...)
	if err != nil {
		guarded.Close()
		return nil, errors.Join(fmt.Errorf("start the embedded broker in %s: %w", dir, err), commits.close())
	}
	b := &broker{addr: ln.Addr().String(), cluster: cluster, commits: commits, failure: failure}
	if err := b.makeTopics(o.Topics, limit); err != nil {
		return nil, errors.Join(err, b.close())
	}
	commits.watch(cluster, failure)
	failure.refuse(cluster)
	repairAdmin(cluster, dir)
	repair.Fetch(cluster)
	guarded.open()
	return b, nil
}

// authentication has the broker ask for a password, if there is one. kfake keeps users in
// a file, which would win over what it is told now, and let in whom another life knew.
func authentication(dir, password string) ([]kfake.Opt, error) {
	if err := os.Remove(filepath.Join(dir, "sasl.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("forget the users of the embedded broker: %w", err)
	}
	if password == "" {
		return nil, nil
	}
	return []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", KafkaUser, password)}, nil
}

// close saves kfake's state and then empties the commit log: nothing is unfinished. After a failure what kfake has in memory must
// not reach the disk, so it is left alone until the process ends.
func (b *broker) close() error {
	if b.failure.failed() {
		return b.commits.close()
	}
	b.cluster.Close()
	return errors.Join(b.commits.clear(), b.commits.close())
}

// makeTopics creates missing topics and refuses existing ones that differ from those asked for.
// The size limit is said of each topic too: kfake enforces the broker's, but
// tells clients that the topic has Kafka's default.
func (b *broker) makeTopics(topics []Topic, limit string) error {
	for _, t := range topics {
		info := b.cluster.TopicInfo(t.Name)
		if info == nil {
			if err := b.cluster.CreateTopic(t.Name, t.Partitions, map[string]string{sizeLimit: limit}); err != nil {
				return fmt.Errorf("make topic %s: %w", t.Name, err)
			}
			continue
		}
		if n := len(b.cluster.PartitionInfos(t.Name)); n != int(t.Partitions) {
			return fmt.Errorf("topic %s of the data directory has %d partitions, expected %d: pass --data DIR with a new directory", t.Name, n, t.Partitions)
		}
		if has := info.Configs[sizeLimit]; has == nil || *has != limit {
			return fmt.Errorf("topic %s of the data directory has another %s than %s: pass --data DIR with a new directory", t.Name, sizeLimit, limit)
		}
	}
	return nil
}

// listen opens the port before anything is touched on disk. The address is also
// what clients are told, so it has to be one that they can dial.
func listen(ctx context.Context, addr string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("--kafka %s: %w; expected HOST:PORT such as 127.0.0.1:9092", addr, err)
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		return nil, fmt.Errorf("--kafka %s: the broker advertises this address, so clients must be able to dial it; expected HOST:PORT such as 127.0.0.1:9092", addr)
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("the port of --kafka %s is in use by another program: stop it, or pass --kafka HOST:PORT with a free port", addr)
	}
	if err != nil {
		return nil, fmt.Errorf("--kafka %s: %w", addr, err)
	}
	return ln, nil
}

// brokerLog passes on kfake's errors and warnings.
type brokerLog struct {
	logger  *slog.Logger
	failure *failure
}

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	l.failure.note(format, text)
	to := slog.LevelDebug
	switch {
	case level == kfake.LogLevelError:
		to = slog.LevelError
	case level == kfake.LogLevelWarn && !strings.HasPrefix(format, "txn: EndTxn slow"): // every commit waits for the disk
		to = slog.LevelWarn
	}
	if ctx := context.Background(); l.logger.Enabled(ctx, to) {
		l.logger.Log(ctx, to, "embedded broker: "+text)
	}
}
