package sink

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestClassify(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{nil, ClassNone},
		{kerr.ProducerFenced, ClassFenced},
		{kerr.InvalidProducerEpoch, ClassFenced},
		{kerr.FencedInstanceID, ClassFenced},
		{kerr.InvalidTimestamp, ClassClock},
		{errors.Join(errors.New("end"), kerr.RequestTimedOut, kerr.ProducerFenced), ClassFenced},
		{kerr.MessageTooLarge, ClassTooLarge},
		{kgo.ErrMaxBuffered, ClassBufferFull},
		{kgo.ErrClientClosed, ClassClosed},
		{kgo.ErrRecordTimeout, ClassTimeout},
		{context.DeadlineExceeded, ClassTimeout},
		{context.Canceled, ClassCanceled},
		{kerr.SaslAuthenticationFailed, ClassAuthentication},
		{kerr.TransactionalIDAuthorizationFailed, ClassAuthorization},
		{kerr.UnknownTopicOrPartition, ClassUnknownTopic},
		{kerr.UnknownTopicID, ClassTopicChanged},
		{kerr.NotEnoughReplicas, ClassReplicas},
		{kerr.RebalanceInProgress, ClassRebalance},
		{kerr.ConcurrentTransactions, ClassTransaction},
		{kerr.CoordinatorNotAvailable, ClassUnavailable},
		{&net.OpError{Op: "dial", Err: errors.New("refused")}, ClassUnavailable},
		{fmt.Errorf("poll: %w", &kgo.ErrDataLoss{}), ClassDataLoss},
		{fmt.Errorf("poll: %w", &kgo.ErrDecompressTooLarge{}), ClassDecompress},
		{&kgo.ErrFirstReadEOF{}, ClassHandshake},
		{dialed(x509.HostnameError{Certificate: &x509.Certificate{}}), ClassHandshake},
		{dialed(x509.UnknownAuthorityError{}), ClassHandshake},
		{dialed(tls.RecordHeaderError{}), ClassHandshake},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: bad certificate")}, ClassHandshake},
		{fmt.Errorf("%w: %w", ErrToken, dialed(x509.UnknownAuthorityError{})), ClassToken},
		{fmt.Errorf("%w: %w", ErrToken, context.DeadlineExceeded), ClassToken},
		{errors.New("anything else"), ClassOther},
	}
	for _, test := range tests {
		if got := Classify(test.err); got != test.want {
			t.Errorf("%v is %s, want %s", test.err, got, test.want)
		}
	}
}

// dialed is the form of an error while connecting.
func dialed(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }

func TestEveryClassHasAdvice(t *testing.T) {
	labels := map[string]bool{}
	for _, c := range classes() {
		if c.advice == "" || len(c.is) == 0 || labels[c.label] {
			t.Errorf("class %q: advice %q, %d errors, or listed twice", c.label, c.advice, len(c.is))
		}
		labels[c.label] = true
		for _, err := range c.is {
			if got := Classify(err); got != c.label {
				t.Errorf("%v is %s, want %s", err, got, c.label)
			}
			if Advice(err) != c.advice {
				t.Errorf("%v: advice %q", err, Advice(err))
			}
		}
	}
	if Advice(nil) != "" || Advice(errors.New("x")) != "" {
		t.Error("advice without a known class")
	}
}

// Only a living twin is told of as one, and a clock as a clock.
func TestAdviceOfCases(t *testing.T) {
	for _, test := range []struct {
		err  error
		says string
		want bool
	}{
		{fmt.Errorf("end: %w", ErrTwin), "--instance", true},
		{kerr.FencedInstanceID, "--instance", true},
		{fmt.Errorf("end: %w", ErrFenced), "--instance", false},
		{kerr.InvalidProducerEpoch, "--instance", false},
		{kerr.InvalidTimestamp, "clock", true},
		{kerr.InvalidTimestamp, "`date`", true},
	} {
		if got := strings.Contains(Advice(test.err), test.says); got != test.want {
			t.Errorf("%v: advice %q, want %q in it: %t", test.err, Advice(test.err), test.says, test.want)
		}
	}
}

func TestProduceErrorKeepsTheCause(t *testing.T) {
	tests := []struct{ err, is error }{
		{kerr.MessageTooLarge, ErrTooLarge},
		{kgo.ErrMaxBuffered, ErrBufferFull},
		{kgo.ErrClientClosed, ErrClosed},
		{kerr.InvalidProducerEpoch, ErrFenced},
		{kerr.InvalidProducerEpoch, kerr.InvalidProducerEpoch},
		{kerr.FencedInstanceID, ErrTwin},
		{kerr.NotEnoughReplicas, kerr.NotEnoughReplicas},
		{kerr.InvalidTimestamp, kerr.InvalidTimestamp},
	}
	for _, test := range tests {
		if got := produceError(test.err); !errors.Is(got, test.is) {
			t.Errorf("%v became %v, want it to wrap %v", test.err, got, test.is)
		}
	}
	if produceError(nil) != nil {
		t.Error("nil became an error")
	}
	if got := produceError(kerr.InvalidTimestamp).Error(); !strings.Contains(got, "clock") {
		t.Errorf("%q does not name the clock", got)
	}
}
