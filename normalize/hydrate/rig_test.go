package hydrate

import (
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/kycbridge/kycbridge/internal/contract"
	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/internal/secret"
	"github.com/kycbridge/kycbridge/normalize"
	"github.com/kycbridge/kycbridge/normalize/normalizetest"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// latency is what the API takes at least: no answer comes while the source looks at its tasks.
const latency = time.Millisecond

// rig is the source of the task topic without Kafka: a test hands it records and answers for the API. It runs in
// a bubble, where time passes only while everybody waits for it.
type rig struct {
	*source
	t    *testing.T
	in   normalize.Input
	told *prometheus.Registry
	api  func(id string) (status int, body string)
	raw  int64 // offset of the next webhook
	next int64 // offset of the next record

	log    map[int64]became // what became of records, by their offsets
	offset int64            // the group's in partition 0, after the last commit

	mu    sync.Mutex
	asked []string // ids, as the API was asked for them
}

// inRig runs a test in a bubble of its own; change alters the options.
func inRig(t *testing.T, test func(t *testing.T, r *rig), change ...func(*Options)) {
	t.Helper()
	validator := normalizetest.Validator(t)
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, log: map[int64]became{}, api: func(string) (int, string) { return http.StatusOK, `{}` }}
		o := Options{Endpoints: []Endpoint{{Name: "endpoint", Provider: required(), Credentials: Credentials{Key: secret.Of("k")}}}, Rate: 10000}
		o.Stage.Providers, o.Stage.Validator = []providers.Provider{required()}, validator
		for _, f := range change {
			f(&o)
		}
		o = o.withDefaults()
		r.told = prometheus.NewRegistry()
		m := normalizetest.Must(newMetrics(r.told))(t)
		a := normalizetest.Must(newAsker(o, m))(t)
		t.Cleanup(a.close)
		for _, c := range a.accounts {
			c.client.Transport = r
		}
		r.source = newSource(o, a, m)
		r.in.PoisonPill = func(*kgo.Record) bool { return false }
		r.in.Disposed = func(tasks []normalize.Task) ([]bool, error) { return make([]bool, len(tasks)), nil }
		test(t, r)
	})
}

// required is a vendor whose webhooks are nothing but the id of an object.
func required() providers.Provider {
	p := vendor()
	p.MapperVersion, p.Hydration.Required = "v/1", true
	p.Parse = func(d *providers.Delivery) (*providers.Notice, error) {
		n := &providers.Notice{Type: "changed", Content: d.Body}
		if d.Fetched != nil {
			n.Content = d.Fetched.Body
		}
		n.Identity = providers.Identity{string(n.Content)}
		return n, nil
	}
	p.Hydration.Needs = func(d *providers.Delivery, _ *providers.Notice) (providers.Target, bool) {
		return providers.Target{Kind: "thing", ID: string(d.Body)}, true
	}
	p.Maps = map[string]providers.MapFunc{"": func(d *providers.Delivery, _ *providers.Notice) (m providers.Mapping, err error) {
		if m.Incomplete = d.Fetched == nil; !m.Incomplete {
			m.Add(&kycv1.SessionEvent{
				Metadata:   &kycv1.EventMetadata{Subject: &kycv1.Subject{SessionId: string(d.Body)}},
				Transition: kycv1.SessionTransition_SESSION_TRANSITION_PROCESSING, VendorStatus: "done",
			})
		}
		return m, nil
	}}
	return p
}

// RoundTrip implements http.RoundTripper: it is the API.
func (r *rig) RoundTrip(q *http.Request) (*http.Response, error) {
	id := path.Base(q.URL.Path)
	r.mu.Lock()
	r.asked = append(r.asked, id)
	r.mu.Unlock()
	time.Sleep(latency)
	status, body := r.api(id)
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: q}, nil
}

// wasAsked compares what the API was asked for since the last time, in whatever order.
func (r *rig) wasAsked(want ...string) {
	r.t.Helper()
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Sort(r.asked); !slices.Equal(r.asked, want) {
		r.t.Errorf("the API was asked for %q, expected %q", r.asked, want)
	}
	r.asked = nil
}

// counted is the sum of a counter over its labels.
func (r *rig) counted(name string) (sum float64) {
	r.t.Helper()
	for _, family := range normalizetest.Must(r.told.Gather())(r.t) {
		if family.GetName() == namespace+"_"+name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// task is that of a new webhook, which says that an object changed.
func (r *rig) task(id string) *kycv1.HydrateTask {
	r.raw++
	return &kycv1.HydrateTask{
		Raw: &kycv1.RawPosition{Topic: schemas.DefaultPrefix + schemas.Raw, Offset: r.raw}, FetchResult: kycv1.FetchResult_FETCH_RESULT_PENDING,
		Envelope: &kycv1.RawEnvelope{
			Provider: "v", Endpoint: "endpoint", Tenant: "default", Environment: kycv1.Environment_ENVIRONMENT_LIVE,
			ReceivedAt: timestamppb.Now(), Method: "POST", Body: []byte(id), DeliveryId: "01900000-0000-7000-8000-0000000000aa",
		},
	}
}

// record is a task as it is polled now. All have one subject.
func (r *rig) record(task *kycv1.HydrateTask) *kgo.Record {
	r.next++
	value := normalizetest.Must(contract.Marshal(task))(r.t)
	return &kgo.Record{Topic: schemas.DefaultPrefix + schemas.Hydrate, Offset: r.next, Timestamp: time.Now(), Key: []byte("v/subject"), Value: value}
}

// step takes what was polled, as a worker does, and notes what is written. What is written is committed.
func (r *rig) step(polled ...*kgo.Record) normalize.Next {
	r.t.Helper()
	r.Begin()
	next := normalizetest.Must(r.Take(r.t.Context(), r.in, polled))(r.t)
	switch p := next.(type) {
	case normalize.GiveBack:
		r.Undo()
	case normalize.Process:
		for i, b := range processed(r.t, p) {
			r.log[p.Readings[i].In.Offset] = b
		}
		r.offset = p.Offsets[0]
		r.Begin()
	}
	return next
}

// batch polls records, and then nothing while their answers come; tasks gives what becomes of each.
func (r *rig) batch(polled ...*kgo.Record) (first normalize.Next) {
	r.t.Helper()
	first = r.step(polled...)
	for range 20 {
		time.Sleep(latency)
		synctest.Wait()
		r.step()
	}
	return first
}

// tasks polls tasks and gives what has become of each, soon after.
func (r *rig) tasks(all ...*kycv1.HydrateTask) (got []became) {
	r.t.Helper()
	polled := make([]*kgo.Record, len(all))
	for i, task := range all {
		polled[i] = r.record(task)
	}
	return r.records(polled...)
}

// records is tasks with records.
func (r *rig) records(polled ...*kgo.Record) (got []became) {
	r.t.Helper()
	r.batch(polled...)
	for _, one := range polled {
		got = append(got, r.of(one))
	}
	return got
}

// of is what has become of a record.
func (r *rig) of(polled *kgo.Record) became {
	if b, ok := r.log[polled.Offset]; ok {
		return b
	}
	for e := range r.lot.tasks {
		if e.in.Offset == polled.Offset {
			return became{as: "waiting", task: e.task, entry: e}
		}
	}
	return became{as: "asking"}
}

// became is what a record becomes.
type became struct {
	as     string             // what moves on or is skipped, "published", or why it is a dead letter
	record record.Outgoing    // that moves on
	task   *kycv1.HydrateTask // in it
	entry  *entry             // that waits
}

func processed(t *testing.T, next normalize.Next) (all []became) {
	t.Helper()
	p, ok := next.(normalize.Process)
	if !ok {
		t.Fatalf("the source wants %T, expected what is written", next)
	}
	for _, reading := range p.Readings {
		switch o := reading.Outcome.(type) {
		case *normalize.Skip:
			all = append(all, became{as: o.As})
		case *normalize.Forward:
			task, _ := normalizetest.Message(t, o.Records[0]).(*kycv1.HydrateTask)
			all = append(all, became{as: o.As, record: o.Records[0], task: task})
		case *normalize.DeadLetter:
			all = append(all, became{as: o.Letter.GetReason().String()})
		case *normalize.Publish:
			all = append(all, became{as: "published"})
		}
	}
	return all
}

// are compares what records become.
func are(t *testing.T, got []became, want ...string) {
	t.Helper()
	as := make([]string, len(got))
	for i, b := range got {
		as[i] = b.as
	}
	if !slices.Equal(as, want) {
		t.Errorf("records become %q, expected %q", as, want)
	}
}
