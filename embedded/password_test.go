package embedded

import (
	"context"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

func startWithPassword(t *testing.T, dir, password string) *Services {
	t.Helper()
	o := testOptions(dir, "127.0.0.1:0")
	o.Password = password
	s, err := Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// lets reports whether Kafka lets a client in that proves itself so.
func lets(t *testing.T, s *Services, opts ...kgo.Opt) bool {
	t.Helper()
	client := newClient(t, s.Brokers()[0], append(opts, kgo.RequestRetries(0))...)
	return client.Ping(testContext(t)) == nil
}

func scramAs(user, password string) kgo.Opt {
	return kgo.SASL(scram.Auth{User: user, Pass: password}.AsSha256Mechanism())
}

// TestPassword: Kafka and Redis let in who knows this life's password, and nobody else:
// not without one, not with that of another life, not as the user that kfake has by itself.
func TestPassword(t *testing.T) {
	dir := t.TempDir()
	for _, life := range []struct{ password, other string }{
		{"", "first"}, {"first", "second"}, {"second", "first"}, {"", "second"}, {"third", "second"},
	} {
		s := startWithPassword(t, dir, life.password)
		asked := life.password != ""
		for name, c := range map[string]struct {
			opts []kgo.Opt
			want bool
		}{
			"nobody":               {nil, !asked},
			"the password":         {[]kgo.Opt{scramAs(KafkaUser, life.password)}, asked},
			"that of another life": {[]kgo.Opt{scramAs(KafkaUser, life.other)}, false},
			"kfake's own user":     {[]kgo.Opt{scramAs("admin", "admin")}, false},
			"in the clear":         {[]kgo.Opt{kgo.SASL(plain.Auth{User: KafkaUser, Pass: life.password}.AsMechanism())}, false},
		} {
			if life.password == "" && name != "nobody" {
				continue // kfake answers whoever offers what it has not asked for
			}
			if got := lets(t, s, c.opts...); got != c.want {
				t.Errorf("life with password %q: %s let in: %v, expected %v", life.password, name, got, c.want)
			}
		}
		if got := ask(t, s.RedisAddr(), "GET", "claim"); strings.HasPrefix(got, "-NOAUTH") != asked {
			t.Errorf("life with password %q: Redis answers nobody %q", life.password, got)
		}
		if asked {
			if got := ask(t, s.RedisAddr(), "AUTH", life.password); got != "+OK" {
				t.Errorf("Redis answers the password %q", got)
			}
			if got := ask(t, s.RedisAddr(), "AUTH", life.other); !strings.HasPrefix(got, "-WRONGPASS") {
				t.Errorf("Redis answers another password %q", got)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWebPagesReachNeitherService: a browser can be made to send a request of HTTP to any
// port, with commands in its body.
func TestWebPagesReachNeitherService(t *testing.T) {
	s := start(t, t.TempDir())
	ask(t, s.RedisAddr(), "SET", "claim", "one")
	const commands = "*1\r\n$8\r\nFLUSHALL\r\nFLUSHALL\r\n"
	for name, addr := range map[string]string{"Redis": s.RedisAddr(), "Kafka": s.Brokers()[0]} {
		for _, method := range []string{"POST", "PUT", "GET", "*1"} {
			conn, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = conn.Write([]byte(method + " / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 40\r\n\r\n" + commands))
			conn.(*net.TCPConn).CloseWrite()
			answer := make([]byte, 1<<10)
			n, _ := conn.Read(answer)
			conn.Close()
			if strings.Contains(string(answer[:n]), "+OK") {
				t.Errorf("%s obeys a request of HTTP, %s: %q", name, method, answer[:n])
			}
		}
	}
	if got := ask(t, s.RedisAddr(), "GET", "claim"); got != "one" {
		t.Errorf("the claim is %q, expected it untouched", got)
	}
	metadata(t, newClient(t, s.Brokers()[0]), "in")
}
