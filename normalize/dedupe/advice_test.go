package dedupe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// answer is an error that a server sent.
type answer string

func (a answer) Error() string { return string(a) }
func (answer) RedisError()     {}

func TestAdvice(t *testing.T) {
	dialed := func(err error) error { return &net.OpError{Op: "dial", Err: err} }
	for _, test := range []struct {
		err  error
		want string
	}{
		{dialed(errors.New("connection refused")), "redis.address"},
		{dialed(x509.HostnameError{Certificate: &x509.Certificate{}}), "redis.tls.server_name"},
		{dialed(x509.UnknownAuthorityError{}), "redis.tls.ca_file"},
		{dialed(&tls.CertificateVerificationError{Err: errors.New("expired")}), "renew it"},
		{dialed(tls.RecordHeaderError{}), "remove redis.tls"},
		{&net.OpError{Op: "remote error", Err: errors.New("tls: certificate required")}, "certificate_file"},
		{io.EOF, "redis.tls"},
		{answer("WRONGPASS invalid"), "redis.password"},
		{answer("NOAUTH Authentication required."), "redis.username"},
		{answer("NOPERM this user"), "~kyc:d:*"},
		{answer("MOVED 1 127.0.0.1:1"), "redis.cluster"},
		{answer("CLUSTERDOWN Hash slot not served"), "no master"},
		{answer("ERR This instance has cluster support disabled"), "redis.address"},
		{answer("LOADING"), "its log"},
	} {
		if got := Advice(fmt.Errorf("%w: %w", ErrUnavailable, test.err)); !strings.Contains(got, test.want) {
			t.Errorf("%v: %q, expected %q in it", test.err, got, test.want)
		}
	}
}
