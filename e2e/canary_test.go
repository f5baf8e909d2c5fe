package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/internal/config"
	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/catalog"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
	configv1 "github.com/kycbridge/kycbridge/schemas/kycbridge/config/v1"
)

// aviary is a deployment that canaries are let into: every role in a process of its own, every vendor in every
// way it can prove itself, a real Redis, and the vendors' APIs played.
type aviary struct {
	*testing.T
	kafka, config, redis string
	redisDir             string
	env                  []string
	keys                 simulate.Keyring
	apis                 *simulate.FakeAPIs
	ingest               *stage
	roles                map[string]*stage
	seen                 map[string][]string        // exit -> what was seen there
	asIs                 func(endpoint string) bool // which endpoints let references leave as they came; nil: none

	mu  sync.Mutex
	raw int // deliveries that were let in
}

// startAviary starts it. The processes say all they can.
func startAviary(t *testing.T, asIs func(endpoint string) bool) *aviary {
	a := &aviary{T: t, seen: map[string][]string{}, roles: map[string]*stage{}, asIs: asIs}
	r := startRedis(t)
	a.kafka, a.redis, a.redisDir = startFake(t, 1).address(), r.addr, r.dir
	a.keys = simulate.Keyring{Dir: t.TempDir(), Lookup: func(name string) (string, bool) { return secretCore + "-" + strings.ToLower(name), true }}
	a.apis = simulate.NewFakeAPIs(catalog.All())
	url, stop, err := a.apis.Start(t.Context(), slog.New(slog.DiscardHandler), func(h http.Handler) http.Handler { return h })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stop() })
	a.config = filepath.Join(a.TempDir(), "kycbridge.yaml")
	a.write(url)
	createTopics(t, a.config, append(a.env, "KYCBRIDGE_LISTEN=127.0.0.1:0", "KYCBRIDGE_ADMIN=127.0.0.1:0"))
	for _, role := range []string{"normalize", "hydrate", "ingest"} {
		s := &stage{listen: freePort(t)}
		admin := freePort(t)
		args := []string{role, "--config", a.config, "--log-level", "debug"}
		if role != "ingest" {
			args = append(args, "--instance", "0")
		}
		s.process = startBinary(t, faultBinary(t, ""), admin, append(slices.Clone(a.env), "KYCBRIDGE_LISTEN="+s.listen, "KYCBRIDGE_ADMIN="+admin, "KYCBRIDGE_FAILPOINT=panic"), args...)
		s.ready(t)
		a.roles[role] = s
	}
	a.ingest = a.roles["ingest"]
	return a
}

// write makes the configuration, with every secret in a variable.
func (a *aviary) write(apis string) {
	a.Helper()
	hide := func(value string) string {
		name := fmt.Sprint("AVIARY_", len(a.env))
		a.env = append(a.env, name+"="+value)
		return "${" + name + "}"
	}
	m := &configv1.Config{
		Kafka:     &configv1.Kafka{Brokers: strings.Split(a.kafka, ",")},
		Redis:     &configv1.Redis{Address: a.redis},
		Topics:    &configv1.Topics{Partitions: 2, Replication: 1, Safety: configv1.Safety_SAFETY_WARN},
		Ingest:    &configv1.Ingest{Listen: "${KYCBRIDGE_LISTEN}", DrainDelay: durationpb.New(0)},
		Normalize: &configv1.Normalize{Slots: 1},
		Hydrate:   &configv1.Hydrate{Slots: 1, Concurrency: 16, Rate: 10_000},
		Dedupe:    &configv1.Dedupe{Pepper: hide(secretCore + "-pepper-0123456789")},
		Admin:     &configv1.Admin{Listen: "${KYCBRIDGE_ADMIN}"},
	}
	for _, v := range catalog.All() {
		ways, err := a.keys.Prepare(v)
		if err != nil {
			a.Fatal(err)
		}
		for _, way := range ways {
			e := &configv1.Endpoint{Name: way.Endpoint, Provider: v.Name, Environment: providers.FixtureEnvironment, Api: simulate.Configure(v, apis)}
			if a.asIs != nil && a.asIs(e.Name) {
				e.CustomerReference = configv1.CustomerReference_CUSTOMER_REFERENCE_AS_IS
			}
			if e.Api != nil {
				e.Api.Key, e.Api.Password, e.Api.ClientSecret = hide(secretCore+"-api-key"), hide(secretCore+"-api-password"), hide(secretCore+"-api-secret")
			}
			for _, c := range a.keys.Checks(way) {
				for _, s := range c.Secrets {
					s.Value = hide(s.Value)
				}
				if err := config.Prove(e, c.Scheme, c.Secrets, c.Token); err != nil {
					a.Fatal(err)
				}
			}
			m.Endpoints = append(m.Endpoints, e)
		}
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m) // JSON is YAML
	if err != nil {
		a.Fatal(err)
	}
	if err := os.WriteFile(a.config, text, 0o600); err != nil {
		a.Fatal(err)
	}
}

// release posts what the simulation of every vendor plants, to each of its endpoints, and what no simulation
// would send.
func (a *aviary) release() {
	a.Helper()
	for _, v := range catalog.All() {
		fixtures, err := v.Fixtures()
		if err != nil {
			a.Fatal(err)
		}
		ways, err := a.keys.Ways(v)
		if err != nil {
			a.Fatal(err)
		}
		for i, way := range ways {
			sender, err := simulate.NewSender(v, way, "http://"+a.ingest.listen+"/hooks/"+way.Endpoint, 8, "")
			if err != nil {
				a.Fatal(err)
			}
			some := fixtures
			if i > 0 { // only the proofs differ
				some = fixtures[len(fixtures)-1:]
			}
			var group errgroup.Group
			group.SetLimit(8)
			for p := range sender.Plant(some, uint64(time.Now().UnixNano()), a.apis) {
				group.Go(func() error { return a.post(sender, p) })
			}
			if err := group.Wait(); err != nil {
				a.Fatal(err)
			}
			if way.Endpoint == "complycube" {
				a.panics(sender)
			}
			sender.Close()
		}
	}
	a.garbage()
}

// panics sends what the failpoint has a vendor's code panic with.
func (a *aviary) panics(sender *simulate.Sender) {
	a.Helper()
	for _, c := range canary.All() {
		body := fmt.Appendf(nil, `{"id":"panic-%s","type":"client.created","payload":{"id":"1","name":%q,"note":"kycbridge-panic"}}`, c.Kind, c.Text)
		if err := a.post(sender, simulate.Planted{Canary: c, Where: "a panic", Delivery: sender.Seal(body, nil)}); err != nil {
			a.Fatal(err)
		}
	}
}

// post sends one, and looks whether it was let in as it should be, and what was answered.
func (a *aviary) post(sender *simulate.Sender, p simulate.Planted) error {
	return sender.Post(context.Background(), p.Delivery, func(resp *http.Response) error {
		answer, err := httputil.DumpResponse(resp, true)
		if err != nil {
			return fmt.Errorf("%s: %w", p.Where, err)
		}
		a.mu.Lock()
		defer a.mu.Unlock()
		a.look("what is answered", string(answer))
		if resp.StatusCode == http.StatusOK {
			a.raw++
			if p.Unproved {
				return fmt.Errorf("a %s at %s was let in without a proof", p.Kind, p.Where)
			}
		}
		return nil
	})
}

// garbage sends what no library would: canaries in the parts of a request that have a form.
func (a *aviary) garbage() {
	a.Helper()
	for _, c := range canary.All() {
		text := strings.Map(func(r rune) rune {
			if r <= ' ' {
				return '-'
			}
			return r
		}, c.Text)
		for _, request := range []string{
			text + " /hooks/complycube HTTP/1.1\r\nHost: x\r\n\r\n",
			"POST /hooks/complycube/" + text + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
			"POST /" + text + " HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
			"POST /hooks/complycube HTTP/" + text + "\r\nHost: x\r\n\r\n",
			"POST /hooks/complycube HTTP/1.1\r\nHost: " + text + "\r\nContent-Length: 2\r\n\r\n{}",
			"POST /hooks/complycube HTTP/1.1\r\nHost: x\r\nContent-Length: " + text + "\r\n\r\n{}",
			"POST /hooks/complycube HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + text + "\r\n\r\n{}",
			"POST /hooks/complycube HTTP/1.1\r\nHost: x\r\n" + text + "\r\n\r\n{}",
			"POST /hooks/complycube HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + text + "\r\n{}\r\n0\r\n\r\n",
			"POST /hooks/complycube HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n{\"name\":\"" + text,
			"PUT /hooks/complycube HTTP/1.1\r\nHost: x\r\nExpect: " + text + "\r\nContent-Length: 2\r\n\r\n{}",
			text,
		} {
			for _, role := range a.roles {
				a.look("what is answered to garbage", raw(a.T, role.listen, request))
				a.look("what an admin address answers to garbage", raw(a.T, role.admin, request))
			}
		}
	}
}

// raw writes bytes to an address and returns what comes back. Where nobody listens, nothing does.
func raw(t testing.TB, address, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return ""
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(request)); err != nil {
		return ""
	}
	_ = conn.(*net.TCPConn).CloseWrite()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	var out bytes.Buffer
	_, _ = out.ReadFrom(conn)
	return out.String()
}

// look notes what an exit tells, line by line. What is allowed by its kind is not looked for.
func (a *aviary) look(exit, text string, allowed ...string) {
	for line := range strings.Lines(text) {
		for _, word := range told([]byte(line)) {
			if !slices.Contains(allowed, word) && len(a.seen[exit]) < 5 {
				a.seen[exit] = append(a.seen[exit], fmt.Sprintf("%s in %.300q", word, line))
			}
		}
	}
}

// coded are the kinds that have the form of a code: where the ids and codes of events are shown, they are.
func coded() (kinds []string) {
	for _, c := range canary.All() {
		if c.Coded {
			kinds = append(kinds, c.Kind)
		}
	}
	return kinds
}

// TestCanaries lets data of every kind that a person has into a running deployment, wherever a vendor or a
// stranger may put them, and looks for them wherever something comes out but the data themselves.
func TestCanaries(t *testing.T) {
	a := startAviary(t, nil)
	r := read(t, a.kafka, schemas.DefaultPrefix)
	a.release()
	if !eventually(patience, func() bool {
		f := sorted(t, r.snapshot())
		return len(f.raw) >= a.raw && len(normalized(f)) == len(f.raw) && len(f.events) > 0
	}) {
		t.Fatalf("not all of %d deliveries are processed: %s", a.raw, r.missing())
	}
	records := r.snapshot()
	t.Logf("%d deliveries let in, %d records", a.raw, len(records))
	a.lookAtRecords(records)
	a.lookAtRedis()
	a.lookAtProcesses()
	a.lookAtTerminals(records)
	a.report()
}

func (a *aviary) report() {
	a.Helper()
	for _, exit := range slices.Sorted(maps.Keys(a.seen)) {
		a.Errorf("TOLD: %s: %s", exit, strings.Join(a.seen[exit], "\n\t"))
	}
}

// lookAtRecords reads every record by what its fields may hold.
func (a *aviary) lookAtRecords(records map[position]*kgo.Record) {
	a.Helper()
	kinds := map[string]int{}
	for at, record := range records {
		topic := topicOf(at.topic)
		for part, text := range beside(at.topic, record) {
			a.look(part+" of "+topic.Base, text)
		}
		m := topic.New()
		if err := proto.Unmarshal(record.Value, m); err != nil {
			a.Fatalf("%v: %v", at, err)
		}
		for _, c := range canary.All() {
			for _, leak := range c.Leaks(m.ProtoReflect(), false) {
				a.look(fmt.Sprintf("%s of %s", leak.Field, topic.Base), leak.Value)
			}
			if topic.Base == schemas.Raw && c.In(record.Value) {
				kinds[c.Kind]++
			}
		}
	}
	if len(kinds) != len(canary.All()) {
		a.Errorf("only these kinds of canaries are in the raw topic: %v", kinds)
	}
}

// lookAtRedis reads all keys and values, and the log of every command that changed one.
func (a *aviary) lookAtRedis() {
	a.Helper()
	client, ctx := redis.NewClient(&redis.Options{Addr: a.redis}), context.Background()
	defer client.Close()
	keys := 0
	scan := client.Scan(ctx, 0, "*", 1000).Iterator()
	for scan.Next(ctx) {
		keys++
		a.look("a key of Redis", scan.Val())
		dump, err := client.Dump(ctx, scan.Val()).Result()
		if err != nil {
			a.Fatal(err)
		}
		a.look("a value of Redis", dump)
		if all, err := client.HGetAll(ctx, scan.Val()).Result(); err == nil { // a dump compresses what is long
			a.look("a value of Redis", fmt.Sprint(all))
		} else if one, err := client.Get(ctx, scan.Val()).Result(); err == nil {
			a.look("a value of Redis", one)
		}
	}
	if err := scan.Err(); err != nil || keys == 0 {
		a.Errorf("%d keys in Redis, %v", keys, err)
	}
	files := 0
	err := filepath.WalkDir(a.redisDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		files += len(content)
		a.look("what Redis was told", string(content))
		return err
	})
	if err != nil || files == 0 {
		a.Errorf("%d bytes of Redis's own files, %v", files, err)
	}
}

// pages are what somebody may ask of an admin address.
var pages = []string{
	"/", "/livez", "/readyz", "/metrics", "/config", "/status", "/version", "/debug/pprof/", "/debug/pprof/goroutine?debug=2",
	"/debug/pprof/cmdline", "/debug/vars", "/deadletters", "/dev/vendors/complycube",
}

// lookAtProcesses asks each role all it answers, reads what it was started with and what it printed, and last
// what it prints of its goroutines when it is told to quit.
func (a *aviary) lookAtProcesses() {
	a.Helper()
	for role, p := range a.roles {
		for _, page := range pages {
			_, text := get("http://" + p.admin + page)
			a.look(page+" of "+role, text)
		}
		if _, metrics := get("http://" + p.admin + "/metrics"); !strings.Contains(metrics, "kycbridge_") {
			a.Errorf("%s shows no metrics", role)
		}
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.cmd.Process.Pid)); err == nil {
			a.look("the arguments of "+role, string(line))
		}
		p.dump()
		log := p.log.String()
		if !strings.Contains(log, "goroutine ") || !strings.Contains(log, "DEBUG") {
			a.Errorf("%s printed neither its goroutines nor what it does:\n%.2000s", role, log)
		}
		a.look("the log of "+role, log)
	}
}

// lookAtTerminals runs what an operator runs.
func (a *aviary) lookAtTerminals(records map[position]*kgo.Record) {
	a.Helper()
	f := sorted(a, records)
	var traced, letters []string
	for _, event := range f.events {
		free := slices.DeleteFunc(told(event.record.Value), func(kind string) bool { return slices.Contains(coded(), kind) })
		if len(free) > 0 { // a vendor's word, whose topic may hold it
			traced = append(traced, fmt.Sprintf("%d@%d", event.metadata.GetRaw().GetPartition(), event.metadata.GetRaw().GetOffset()))
		}
	}
	if len(traced) == 0 {
		a.Error("no event holds a word with a canary in it")
	}
	seen := map[kycv1.DeadLetterReason]int{}
	for _, letter := range f.dead {
		if seen[letter.GetReason()]++; seen[letter.GetReason()] <= 2 {
			letters = append(letters, fmt.Sprintf("%d@%d", letter.GetRaw().GetPartition(), letter.GetRaw().GetOffset()))
		}
	}
	if seen[kycv1.DeadLetterReason_DEAD_LETTER_REASON_CRASHER] != len(canary.All()) || len(seen) < 4 {
		a.Errorf("dead letters %v, want every reason but a few, and one of a panic for each kind", seen)
	}
	run := func(allowed []string, args ...string) {
		env := append(slices.Clone(a.env), "KYCBRIDGE_LISTEN=127.0.0.1:0", "KYCBRIDGE_ADMIN=127.0.0.1:0")
		stdout, stderr, _ := command(a, env, args...)
		if stdout == "" {
			a.Errorf("%v prints nothing: %s", args, stderr)
		}
		words := strings.Join(args[:min(len(args), 2)], " ")
		a.look("the output of "+words, stdout, allowed...)
		a.look("what "+words+" says beside it", stderr, allowed...)
		if strings.ContainsAny(stdout+stderr, "\u009b\u202e") {
			a.seen["the output of "+words] = append(a.seen["the output of "+words], "characters that move the cursor or turn the text")
		}
	}
	with := []string{"--config", a.config}
	run(nil, append([]string{"topics", "check"}, with...)...)
	run(nil, "config", "check", a.config)
	run(nil, append([]string{"verify"}, with...)...)
	run(nil, append([]string{"verify", "--json"}, with...)...)
	word := []string{canary.Of("document number").Kind} // has the form of a program's name, which headers show
	run(nil, append([]string{"deadletter", "list", "--limit", "0"}, with...)...)
	run(word, append([]string{"deadletter", "list", "--json", "--limit", "0"}, with...)...)
	for _, id := range letters {
		run(word, append([]string{"deadletter", "show", id}, with...)...)
		run(word, append([]string{"deadletter", "show", id, "--json"}, with...)...)
	}
	vocabulary := append(coded(), canary.Of("plain name").Kind) // two words are a word of some vendors
	run(vocabulary, append([]string{"drift"}, with...)...)
	run(vocabulary, append([]string{"drift", "--json"}, with...)...)
	run(nil, append([]string{"tail", "disposition", "--until-end"}, with...)...)
	for _, id := range everyNth(traced, 6) {
		run(coded(), append([]string{"trace", id}, with...)...)
		run(coded(), append([]string{"trace", id, "--json"}, with...)...)
	}
}

// everyNth are so many of all, from one end to the other.
func everyNth(all []string, n int) (some []string) {
	slices.Sort(all)
	for i := range min(n, len(all)) {
		some = append(some, all[i*len(all)/min(n, len(all))])
	}
	return some
}
