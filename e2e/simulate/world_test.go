package simulate

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/embedded/repair"
	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/schemas"
	"github.com/kycbridge/kycbridge/sink"
)

// brokerPorts are those of the simulated brokers, ingestPort that of the first ingest.
var brokerPorts = []int{9092, 9093, 9094}

const ingestPort = 8000

// world is one bubble: brokers, Redis, processes, vendors.
type world struct {
	t       *testing.T
	ctx     context.Context
	plan    *plan
	begin   time.Time
	trace   *trace
	rules   *contract.Validator
	mutant  mutant
	kafka   *kfake.Cluster
	network kfake.VirtualNetwork
	redis   *memory
	vendors *vendors

	client     *kgo.Client // of the simulator itself, without faults
	reader     *sink.Reader
	undertaker *normalizetest.Undertaker

	mu    sync.Mutex
	down  bool            // Kafka refuses connections
	lives int             // of processes
	kills int             // at a chosen request
	front [ingests]*wires // connections of vendors to each ingest

	passed  *passed
	replays map[*process]string // those under way, with their ids
	begun   map[string]bool     // ids of replays
	refused int                 // processes with another pepper
	wrong   []string            // what the oracle could not see

	hosts  []*host // normalizers, ingests, and one for the replays
	faults []*kfake.FaultHandle
	wg     sync.WaitGroup
}

// trace is what the simulator did, in virtual time.
type trace struct {
	mu    sync.Mutex
	begin time.Time
	lines []string
}

func (tr *trace) add(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	at := time.Since(tr.begin).Round(time.Millisecond)
	clock := time.Time{}.Add(at).Format("15:04:05.000")
	line := clock + " " + fmt.Sprintf(format, args...)
	tr.lines = append(tr.lines, line)
	if talkative() {
		fmt.Fprintln(os.Stderr, line)
	}
}

func (tr *trace) String() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return strings.Join(tr.lines, "\n")
}

// newWorld makes the brokers and Redis, and starts no process.
func newWorld(t *testing.T, p *plan, rules *contract.Validator, steps *trace) *world {
	t.Helper()
	w := &world{t: t, plan: p, begin: time.Now(), rules: rules, redis: newMemory(p.seed), passed: newPassed(), replays: map[*process]string{}, begun: map[string]bool{}}
	steps.begin, w.trace = w.begin, steps
	var names []string
	for _, topic := range schemas.Topics() {
		names = append(names, topic.Name(schemas.DefaultPrefix))
	}
	cluster, err := kfake.NewCluster(kfake.ListenFn(w.network.Listen), kfake.Ports(brokerPorts...), kfake.SeedTopics(partitions, names...))
	if err != nil {
		t.Fatal(err)
	}
	w.kafka = cluster
	repair.Epochs(cluster)
	repair.Fetch(cluster)
	o := w.kafkaOptions("oracle", w.network.DialContext)
	if w.client, err = kgo.NewClient(append(o.Extra, kgo.SeedBrokers(o.Brokers...))...); err != nil {
		t.Fatal(err)
	}
	w.undertaker = normalizetest.NewUndertaker(w.client)
	if w.reader, err = sink.OpenReader(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	for i := range w.front {
		w.front[i] = newWires(p.seed+uint64(i), 20*time.Millisecond)
	}
	w.vendors = newVendors(w.dialIngest)
	return w
}

// kafkaOptions is how a process reaches Kafka.
func (w *world) kafkaOptions(client string, dial normalizetest.Dial) sink.Options {
	o := sink.Options{ClientID: client, Extra: []kgo.Opt{kgo.Dialer(dial)}, Logger: w.logger(client)}
	for _, port := range brokerPorts {
		o.Brokers = append(o.Brokers, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return o
}

// kafkaOf is how a process reaches Kafka over its line, and by its clock.
func (w *world) kafkaOf(p *process) sink.Options {
	o := w.kafkaOptions(p.name, p.kafka.Dial)
	o.Extra = append(o.Extra, kgo.WithHooks(stamps{p}))
	return o
}

// logger is silent unless KYCBRIDGE_TEST_LOG asks for what every process says, in virtual time.
func (w *world) logger(name string) *slog.Logger {
	if !talkative() {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})).With("process", name)
}

func talkative() bool { return os.Getenv("KYCBRIDGE_TEST_LOG") != "" }

// dialKafka is the network of processes, which may be away.
func (w *world) dialKafka(ctx context.Context, network, addr string) (net.Conn, error) {
	w.mu.Lock()
	down := w.down
	w.mu.Unlock()
	if down {
		return nil, errAway
	}
	return w.network.DialContext(ctx, network, addr)
}

// dialIngest is the network of vendors.
func (w *world) dialIngest(ctx context.Context, network, addr string) (net.Conn, error) {
	var i int
	if _, err := fmt.Sscanf(addr, "ingest-%d:80", &i); err != nil {
		return nil, err
	}
	dial := w.front[i].over(w.network.DialContext)
	return dial(ctx, network, fmt.Sprintf("127.0.0.1:%d", ingestPort+i))
}

// close ends what the bubble waits for.
func (w *world) close() {
	w.vendors.client.CloseIdleConnections()
	w.reader.Close()
	w.client.Close()
	w.kafka.Close()
	w.redis.server.Close()
	w.wg.Wait()
}

// settled reports whether everything that was taken in is through.
func (w *world) settled() bool {
	passed, err := normalizetest.Passed(w.ctx, w.reader)
	return err == nil && passed
}
