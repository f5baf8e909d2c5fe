package sink

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

func TestAppendIsReadableOnceAcknowledged(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		l := openLog(t, o, RawLogOptions{})
		body := []byte("{\"name\":\"\xff\x00\"}")
		done := make(chan error, 1)
		l.Append([]byte("shop/1"), encoded(&kycv1.RawEnvelope{Body: body}),
			[]record.Header{{Key: "traceparent", Value: []byte("00-1-1-01")}}, func(err error) { done <- err })
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		records := readAll(t, o, schemas.Raw)
		if len(records) != 1 {
			t.Fatalf("%d records, want 1", len(records))
		}
		if got := decode(t, records[0], &kycv1.RawEnvelope{}).Body; !bytes.Equal(got, body) {
			t.Errorf("body %q, want %q", got, body)
		}
		if h := records[0].Headers; len(h) != 1 || h[0].Key != "traceparent" || string(h[0].Value) != "00-1-1-01" {
			t.Errorf("headers %v", h)
		}
		if err := l.Down(); err != nil {
			t.Errorf("Down after an acknowledgement: %v", err)
		}
	})
}

func TestAppendWaitsForTheBroker(t *testing.T) {
	cluster, o := fake(t)
	l := openLog(t, o, RawLogOptions{})
	g := newGate()
	defer g.open()
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(g.hold)
		return nil, nil, false
	})
	done := make(chan error, 1)
	l.Append([]byte("shop/1"), encoded(envelope(1)), nil, func(err error) { done <- err })
	<-g.arrived
	select {
	case err := <-done:
		t.Fatalf("done(%v) before the broker has answered", err)
	default:
	}
	g.open()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

func TestAppendRefusesWhenTheBufferIsFull(t *testing.T) {
	cluster, o := fake(t)
	l := openLog(t, o, RawLogOptions{MaxBufferedRecords: 1})
	g := newGate()
	defer g.open()
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.SleepControl(g.hold)
		return nil, nil, false
	})
	first, second := make(chan error, 1), make(chan error, 1)
	l.Append([]byte("shop/1"), encoded(envelope(1)), nil, func(err error) { first <- err })
	<-g.arrived
	l.Append([]byte("shop/2"), encoded(envelope(2)), nil, func(err error) { second <- err })
	if err := <-second; !errors.Is(err, ErrBufferFull) {
		t.Fatalf("got %v, want ErrBufferFull", err)
	}
	if !errors.Is(l.Down(), ErrBufferFull) {
		t.Errorf("Down is %v, want ErrBufferFull", l.Down())
	}
	g.open()
	if err := <-first; err != nil {
		t.Fatal(err)
	}
	if err := l.Down(); err != nil {
		t.Errorf("Down after an acknowledgement: %v", err)
	}
}

// A broker that accepts requests and never answers must not hold Append up, and
// closing must settle every record exactly once.
func TestSilentBrokerNeverBlocksAppend(t *testing.T) {
	cluster, o := fake(t)
	cluster.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		return nil, nil, true
	})
	l := openLog(t, o, RawLogOptions{MaxBufferedRecords: 50})
	var calls [100]atomic.Int32
	var full atomic.Int32
	var settled atomic.Int32
	all := make(chan struct{})
	for i := range calls {
		l.Append([]byte("shop/1"), encoded(envelope(i)), nil, func(err error) {
			calls[i].Add(1)
			if errors.Is(err, ErrBufferFull) {
				full.Add(1)
			} else if !errors.Is(err, ErrClosed) {
				t.Errorf("record %d: %v, want ErrClosed", i, err)
			}
			if settled.Add(1) == int32(len(calls)) {
				close(all)
			}
		})
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Close(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Close of a full buffer: %v, want the flush to have been cut", err)
	}
	<-all
	if full.Load() != 50 {
		t.Errorf("%d records were refused, want 50", full.Load())
	}
	for i := range calls {
		if n := calls[i].Load(); n != 1 {
			t.Errorf("record %d was settled %d times", i, n)
		}
	}
	l.Append([]byte("shop/1"), encoded(envelope(0)), nil, func(err error) {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after Close: %v, want ErrClosed", err)
		}
	})
}

// The broker wrote the record and its answer was an error: the retry must not
// write it again.
func TestAppliedButTimedOutIsOneRecord(t *testing.T) {
	for _, answer := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotEnoughReplicasAfterAppend} {
		t.Run(answer.Message, func(t *testing.T) {
			cluster, o := fake(t)
			faults := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: answer, Count: 3})
			appendRaw(t, o, 1)
			if faults.Hits() != 3 {
				t.Fatalf("%d faults, want 3", faults.Hits())
			}
			if n := len(readAll(t, o, schemas.Raw)); n != 1 {
				t.Errorf("%d records in the log, want 1", n)
			}
		})
	}
}

func TestAppendClassifiesRefusals(t *testing.T) {
	tests := []struct {
		err   *kerr.Error
		class string
		away  bool
	}{
		{kerr.TopicAuthorizationFailed, ClassAuthorization, true},
		{kerr.MessageTooLarge, ClassTooLarge, false},
	}
	for _, test := range tests {
		t.Run(test.err.Message, func(t *testing.T) {
			cluster, o := fake(t)
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: test.err, Count: -1})
			l := openLog(t, o, RawLogOptions{})
			done := make(chan error, 1)
			l.Append([]byte("shop/1"), encoded(envelope(1)), nil, func(err error) { done <- err })
			if err := <-done; Classify(err) != test.class {
				t.Errorf("%v is %s, want %s", err, Classify(err), test.class)
			}
			if away := l.Down() != nil; away != test.away {
				t.Errorf("Down is %v, want an error: %t", l.Down(), test.away)
			}
		})
	}
}

func TestAppendRefusesARecordThatCanNeverFit(t *testing.T) {
	_, o := fake(t)
	o.MaxMessageBytes = 1 << 16
	l := openLog(t, o, RawLogOptions{})
	done := make(chan error, 1)
	l.Append([]byte("shop/1"), encoded(&kycv1.RawEnvelope{Body: make([]byte, 1<<17)}), nil, func(err error) { done <- err })
	if err := <-done; !errors.Is(err, ErrTooLarge) {
		t.Fatalf("got %v, want ErrTooLarge", err)
	}
}

func TestAppendRefusesAnEmptyKey(t *testing.T) {
	_, o := fake(t)
	l := openLog(t, o, RawLogOptions{})
	done := make(chan error, 1)
	l.Append(nil, encoded(envelope(1)), nil, func(err error) { done <- err })
	if err := <-done; err == nil {
		t.Fatal("a record without a key was taken")
	}
}

// With a Kafka that went away before the first record, a producer without an id asks for one in a loop
// that never pauses.
func TestOpeningTakesTheProducerID(t *testing.T) {
	cluster, o := fake(t)
	var asked atomic.Int32
	cluster.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		asked.Add(1)
		return nil, nil, false
	})
	l := openLog(t, o, RawLogOptions{})
	if n := asked.Load(); n != 1 {
		t.Fatalf("asked for a producer id %d times while opening, want once", n)
	}
	done := make(chan error, 1)
	l.Append([]byte("shop/1"), encoded(envelope(1)), nil, func(err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("asked for a producer id %d times, want once", n)
	}
}

func TestKafkaAwayAtStartNamesTheAddress(t *testing.T) {
	o := Options{Brokers: []string{"127.0.0.1:1, 127.0.0.1:2"}}
	_, err := OpenRawLog(testContext(t), o, RawLogOptions{})
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v, want ErrUnavailable", err)
	}
	for _, part := range []string{"127.0.0.1:1, 127.0.0.1:2", "make services", "kafka.brokers"} {
		if !bytes.Contains([]byte(err.Error()), []byte(part)) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
