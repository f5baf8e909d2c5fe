package dedupe

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
)

// Advice says in half a sentence what an operator can do about a Redis that is down.
func Advice(err error) string {
	var name x509.HostnameError
	var authority x509.UnknownAuthorityError
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var network *net.OpError
	var answer redis.Error
	switch {
	case errors.As(err, &name):
		return "its certificate is for another name: connect by a name it holds, or set redis.tls.server_name"
	case errors.As(err, &authority):
		return "its certificate is from an authority that is not trusted: set redis.tls.ca_file to that authority's certificate"
	case errors.As(err, &cert):
		return "its certificate is not valid: renew it, or look at this machine's clock"
	case errors.As(err, &record):
		return "it does not speak TLS on this port: use its TLS port, or remove redis.tls"
	case errors.As(err, &network) && network.Op == "remote error":
		return "it refuses our side of TLS: set certificate_file and key_file in redis.tls to a certificate from an authority it trusts"
	case errors.As(err, &answer):
		return refusal(answer.Error())
	case errors.Is(err, io.EOF):
		return "it closes the connection at once: does it expect TLS (redis.tls) on this port?"
	}
	return "start it (make services) or correct redis.address (redis.sentinel, redis.cluster)"
}

// refusal is the advice for an error that a server answered.
func refusal(text string) string {
	for _, known := range []struct{ prefix, advice string }{
		{"WRONGPASS", "check redis.username and redis.password"},
		{"NOAUTH", "it requires a login: set redis.username and redis.password"},
		{"NOPERM", "grant the user the keys ~kyc:d:* and the commands GET, SET, EVAL, MULTI, EXEC, DEL, INCR, EXPIRE and INFO, and in a Cluster CLUSTER|SLOTS and COMMAND"},
		{"MOVED", "it is a node of a Redis Cluster: set redis.cluster instead of redis.address"},
		{"CLUSTERDOWN", "some slots of the Cluster have no master: bring it back"},
		{"ERR This instance has cluster support disabled", "it is not a Redis Cluster: set redis.address instead of redis.cluster"},
	} {
		if strings.HasPrefix(text, known.prefix) {
			return known.advice
		}
	}
	return "look at its log"
}
