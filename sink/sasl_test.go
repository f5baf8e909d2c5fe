package sink

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func says(password string) func() string { return func() string { return password } }

func TestSASLValidate(t *testing.T) {
	token := func(context.Context) (string, error) { return "", nil }
	for _, test := range []struct {
		sasl SASL
		want string
	}{
		{SASL{}, ""},
		{SASL{Mechanism: Plain, Username: "a", Password: says("b")}, ""},
		{SASL{Mechanism: ScramSHA256, Username: "a", Password: says("b")}, ""},
		{SASL{Mechanism: OAuthBearer, Token: token}, ""},
		{SASL{Mechanism: OAuthBearer, Username: "a", Password: says("b")}, "source of tokens"},
		{SASL{Mechanism: ScramSHA512, Username: "a"}, "needs a username and a password"},
		{SASL{Mechanism: "GSSAPI", Username: "a", Password: says("b")}, `"GSSAPI" is unknown`},
	} {
		err := Options{Brokers: []string{"127.0.0.1:1"}, SASL: test.sasl}.Validate()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v, want %q", test.sasl, err, test.want)
		}
	}
}

func TestSASLPrintsNoSecret(t *testing.T) {
	o := Options{SASL: SASL{Mechanism: Plain, Username: "kyc", Password: says("hunter2")}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if text := fmt.Sprintf(verb, o); strings.Contains(text, "hunter2") || strings.Contains(text, "68756e74657232") {
			t.Errorf("%s shows the password", verb)
		}
	}
}

// TestSASLRefused: what is wrong is said with what to do, and is not taken for
// a Kafka that is away.
func TestSASLRefused(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "kyc", "right"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	open := func(s SASL) error {
		r, err := OpenReader(testContext(t), Options{Brokers: cluster.ListenAddrs(), SASL: s})
		if err == nil {
			r.Close()
		}
		return err
	}
	if err := open(SASL{Mechanism: ScramSHA256, Username: "kyc", Password: says("right")}); err != nil {
		t.Errorf("the right password: %v", err)
	}
	// The in-process broker knows no OAUTHBEARER, and hangs up on a wrong
	// password; a real one is asked in e2e.
	err = open(SASL{Mechanism: OAuthBearer, Token: func(context.Context) (string, error) { return "token", nil }})
	if !errors.Is(err, ErrRefused) || errors.Is(err, ErrUnavailable) || Classify(err) != ClassAuthentication || !strings.Contains(err.Error(), Advice(err)) {
		t.Errorf("a mechanism the broker does not have: %v", err)
	}
}

// TestSASLPasswordIsAskedAnew: a connection that is made after the password was changed shows the new one.
func TestSASLPasswordIsAskedAnew(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "kyc.raw"), kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-256", "kyc", "old"), kfake.Superuser("SCRAM-SHA-256", "admin", "of-the-broker"))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	var now atomic.Value
	now.Store("old")
	r, err := OpenReader(testContext(t), Options{Brokers: cluster.ListenAddrs(), SASL: SASL{Mechanism: ScramSHA256, Username: "kyc", Password: func() string { return now.Load().(string) }}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	admin, err := OpenReader(testContext(t), Options{Brokers: cluster.ListenAddrs(), SASL: SASL{Mechanism: ScramSHA256, Username: "admin", Password: says("of-the-broker")}})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := r.Starts(testContext(t), "raw"); err != nil {
		t.Fatal(err)
	}
	change := kadm.UpsertSCRAM{User: "kyc", Mechanism: kadm.ScramSha256, Iterations: 4096, Password: "new"}
	if changed, err := admin.admin.AlterUserSCRAMs(testContext(t), nil, []kadm.UpsertSCRAM{change}); err != nil || changed.Error() != nil {
		t.Fatal(err, changed.Error())
	}
	now.Store("new")
	// No client asks for offsets on its own: the connection cut is the one the old password opened.
	var cut atomic.Int32
	cluster.ControlKey(int16(kmsg.ListOffsets), func(kmsg.Request) (kmsg.Response, error, bool) {
		cut.Add(1)
		return nil, errors.New("the connection is cut"), true
	})
	if _, err := r.Starts(testContext(t), "raw"); err != nil || cut.Load() != 1 {
		t.Errorf("after the password was changed and %d connections were cut: %v", cut.Load(), err)
	}
}
