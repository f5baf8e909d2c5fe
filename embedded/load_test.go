package embedded

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/internal/freeport"
)

// The load is a bridge in miniature: raw records in, and for each of them, in
// one transaction with the offset, a disposition and one to three events.
const (
	loadGroup   = "normalise"
	loadSlots   = 2
	loadSenders = 4
)

func loadOptions(dir, addr string) Options {
	return Options{
		DataDir: dir, KafkaAddr: addr,
		Topics: []Topic{{"raw", 4}, {"disposition", 4}, {"session", 4}, {"check", 4}, {"aml", 4}},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelInfo})),
	}
}

// loadEvents is the toy interpreter: which events a raw record makes.
func loadEvents(id string) []string {
	h := fnv.New32a()
	h.Write([]byte(id))
	return []string{"session", "check", "aml"}[:1+h.Sum32()%3]
}

// runLoad prints "ready", then the id of every record that was acknowledged,
// until it is killed.
func runLoad(dir, addr, life string) error {
	ctx := context.Background()
	s, err := Start(ctx, loadOptions(dir, addr))
	if err != nil {
		return err
	}
	failed := make(chan error, loadSlots+loadSenders)
	for slot := range loadSlots {
		go func() { failed <- normalise(ctx, s, slot, nil) }()
	}
	for sender := range loadSenders {
		go func() { failed <- send(ctx, s, life+"-"+strconv.Itoa(sender)) }()
	}
	fmt.Println("ready")
	return <-failed
}

func send(ctx context.Context, s *Services, prefix string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers()...))
	if err != nil {
		return err
	}
	defer client.Close()
	for n := 0; ; n++ {
		id := prefix + "-" + strconv.Itoa(n)
		r := &kgo.Record{Topic: "raw", Key: []byte(strconv.Itoa(n % 50)), Value: []byte(id)}
		if err := client.ProduceSync(ctx, r).FirstErr(); err != nil {
			return err
		}
		fmt.Println(id)
	}
}

// normalise is one slot; done, if given, is told of every commit.
func normalise(ctx context.Context, s *Services, slot int, done func()) error {
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(s.Brokers()...), kgo.ConsumerGroup(loadGroup), kgo.ConsumeTopics("raw"),
		kgo.TransactionalID(fmt.Sprintf("%s-%s-%d", loadGroup, s.LifeID(), slot)),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.RecordPartitioner(kgo.BasicConsistentPartitioner(place)))
	if err != nil {
		return err
	}
	defer session.Close()
	for ctx.Err() == nil {
		fetches := session.PollRecords(ctx, 40)
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := session.Begin(); err != nil {
			return err
		}
		var out []*kgo.Record
		fetches.EachRecord(func(r *kgo.Record) { out = append(out, outgoing(r)...) })
		produced := session.Client().ProduceSync(ctx, out...).FirstErr()
		if _, err := session.End(ctx, kgo.TransactionEndTry(produced == nil)); err != nil {
			return err
		}
		if done != nil {
			done()
		}
	}
	return nil
}

func outgoing(r *kgo.Record) []*kgo.Record {
	position := []byte(fmt.Sprintf("%d/%d", r.Partition, r.Offset))
	var out []*kgo.Record
	for _, topic := range loadEvents(string(r.Value)) {
		out = append(out, &kgo.Record{Topic: topic, Key: r.Key, Value: position})
	}
	return append(out, &kgo.Record{Topic: "disposition", Key: []byte(strconv.Itoa(int(r.Partition))), Value: position})
}

// place puts dispositions on the partition of their raw record, which is their
// key, and events by a hash of their key.
func place(topic string) func(*kgo.Record, int) int {
	return func(r *kgo.Record, n int) int {
		if topic == "disposition" {
			p, _ := strconv.Atoi(string(r.Key))
			return p
		}
		h := fnv.New32a()
		h.Write(r.Key)
		return int(h.Sum32() % uint32(n))
	}
}

// loadKills is how often TestLoadSurvivesKills kills. KYCBRIDGE_TEST_KILLS asks
// for more.
func loadKills(t testing.TB) int {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("KYCBRIDGE_TEST_KILLS"), "12"))
	if err != nil || n < 1 {
		t.Fatalf("KYCBRIDGE_TEST_KILLS=%q, expected a number of kills such as 200", os.Getenv("KYCBRIDGE_TEST_KILLS"))
	}
	return n
}

// TestLoadSurvivesKills kills the process again and again under load, now and
// then while it is still recovering. At the end, and for a reader that watched
// all the time: every acknowledged raw record is there, each raw record has one
// disposition, and each event is there once and in order.
func TestLoadSurvivesKills(t *testing.T) {
	dir, addr := t.TempDir(), freeAddr(t)
	watched := watch(t, addr)
	acked := map[string]bool{}
	for life := range loadKills(t) {
		c := startChild(t, "load", childDir+"="+dir, childAddr+"="+addr, childLife+"="+strconv.Itoa(life))
		if life%4 == 3 {
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond) // anywhere within its start
		} else {
			c.acks(20+rand.IntN(400), acked)
			time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond) // anywhere within a commit
		}
		c.cmd.Process.Kill()
		c.acks(-1, acked)
		c.wait(t)
	}
	judge(t, dir, addr, acked, watched)
}

// acks reads up to n acknowledged ids, or all there are if n is negative.
func (c *child) acks(n int, into map[string]bool) {
	for n != 0 && c.lines.Scan() {
		if line := c.lines.Text(); line != "ready" {
			into[line] = true
			n--
		}
	}
}

// judge lets a last life work off what is left and compares.
func judge(t *testing.T, dir, addr string, acked map[string]bool, watched func(want int) map[string]int) {
	s, err := Start(context.Background(), loadOptions(dir, addr))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client := newClient(t, addr)
	raw := readAll(t, client, "raw")
	drain(t, s, client, raw)

	want := map[string]int{}
	for _, r := range raw {
		delete(acked, string(r.Value))
		for _, out := range outgoing(r) {
			want[out.Topic+" "+string(out.Value)]++
		}
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged raw records are gone, such as %q", len(acked), slices.Collect(maps.Keys(acked))[0])
	}
	got := map[string]int{}
	for _, topic := range []string{"disposition", "session", "check", "aml"} {
		records := readAll(t, client, topic)
		for _, r := range records {
			got[topic+" "+string(r.Value)]++
		}
		checkOrder(t, records)
	}
	compare(t, "a reader after the kills", want, got)
	compare(t, "a reader during the kills", want, watched(len(want)))
	t.Logf("%d raw records, %d dispositions and events", len(raw), len(want))
}

// checkOrder wants the records of a topic that have one key in raw order.
func checkOrder(t *testing.T, records []*kgo.Record) {
	t.Helper()
	last := map[string]int64{}
	for _, r := range records {
		_, text, _ := strings.Cut(string(r.Value), "/")
		offset, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if before, ok := last[string(r.Key)]; ok && before >= offset {
			t.Errorf("%s: key %s has raw offset %d after %d", r.Topic, r.Key, offset, before)
		}
		last[string(r.Key)] = offset
	}
}

// drain runs one slot until the group has committed the end of raw.
func drain(t *testing.T, s *Services, client *kgo.Client, raw []*kgo.Record) {
	ends := map[int32]int64{}
	for _, r := range raw {
		ends[r.Partition] = r.Offset + 1
	}
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	finished := func() bool {
		for p, end := range ends {
			if committedOffset(t, client, loadGroup, "raw", p) < end {
				return false
			}
		}
		return true
	}
	if finished() {
		return
	}
	err := normalise(ctx, s, 0, func() {
		if finished() {
			cancel()
		}
	})
	if err != nil || !finished() {
		t.Fatalf("the last life did not work off what was left: %v", err)
	}
}

func compare(t *testing.T, who string, want, got map[string]int) {
	t.Helper()
	var wrong []string
	for key := range maps.Keys(want) {
		if got[key] != 1 {
			wrong = append(wrong, fmt.Sprintf("%s: %d times", key, got[key]))
		}
	}
	for key := range got {
		if want[key] == 0 {
			wrong = append(wrong, key+": not of any raw record")
		}
	}
	if len(wrong) > 0 {
		t.Errorf("%s sees %d of %d wrongly: %s", who, len(wrong), len(want), strings.Join(wrong[:min(5, len(wrong))], "; "))
	}
}

// watch reads dispositions and events at read_committed through all lives. The
// function it returns waits until want different ones were seen.
func watch(t *testing.T, addr string) func(want int) map[string]int {
	client := newClient(t, addr, kgo.ConsumeTopics("disposition", "session", "check", "aml"),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RetryBackoffFn(func(int) time.Duration { return 20 * time.Millisecond }), kgo.MetadataMinAge(50*time.Millisecond))
	ctx, cancel := context.WithCancel(context.Background())
	var mu sync.Mutex
	seen, news := map[string]int{}, make(chan struct{}, 1)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for ctx.Err() == nil {
			client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				mu.Lock()
				seen[r.Topic+" "+string(r.Value)]++
				mu.Unlock()
			})
			select {
			case news <- struct{}{}:
			default:
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-stopped })
	return func(want int) map[string]int {
		timeout := time.After(patience)
		for {
			mu.Lock()
			got := maps.Clone(seen)
			mu.Unlock()
			if len(got) >= want {
				return got
			}
			select {
			case <-news:
			case <-timeout:
				return got
			}
		}
	}
}

func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
