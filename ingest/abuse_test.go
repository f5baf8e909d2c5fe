package ingest

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kycbridge/kycbridge/providers/auth"
)

// TestAddressesOfAProxyProtocolAreNotBelieved: the line or the bytes that a proxy would put in front of a request
// make it no request.
func TestAddressesOfAProxyProtocolAreNotBelieved(t *testing.T) {
	good := string(wire(t, "one", "old", testBody, false))
	for where, dial := range servedRaw(t) {
		for name, preface := range map[string]string{
			"version 1": "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
			"unknown":   "PROXY UNKNOWN\r\n",
			"version 2": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\xc6\x33\x64\x01\xdc\x04\x01\xbb",
			"HTTP/2":    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
		} {
			c, log := dial(t)
			before := len(log.all())
			answer, err := talk(t, c, preface+good)
			if strings.Contains(answer, " 200 ") || len(log.all()) != before {
				t.Errorf("%s, %s: answered %q, %v, with %d appends, want none", where, name, answer, err, len(log.all())-before)
			}
		}
	}
}

// TestForgedAddressesSpeakForNobody: whoever writes addresses into its requests pays for them itself, and the one
// whose address it wrote is judged as ever.
func TestForgedAddressesSpeakForNobody(t *testing.T) {
	const victim, forger, proxy = "203.0.113.7", "192.0.2.66", "10.0.0.1"
	for name, tc := range map[string]struct {
		peer      string
		forwarded []string // the victim's name in it
	}{
		"no proxy":              {forger, []string{victim}},
		"several lines":         {forger, []string{victim, victim + ", " + victim}},
		"a proxy's address":     {forger, []string{victim + ", " + proxy}},
		"left of the proxy's":   {proxy, []string{victim + ", " + forger}},
		"in a line before":      {proxy, []string{victim, forger}},
		"a zone of another":     {proxy, []string{victim, "::ffff:" + forger}},
		"a port":                {proxy, []string{victim + ":443, " + forger + ":1"}},
		"garbage of many lines": {proxy, append(slices.Repeat([]string{"\x00,;'\"--"}, 50), victim, forger)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := testOptions(t, ackAll())
				o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
				s := newServer(t, o)
				send := func(peer string, forwarded ...string) int {
					return serve(s, post("/hooks/one", func(r *http.Request) {
						r.RemoteAddr, r.Header["X-Forwarded-For"] = peer+":1", forwarded
					})).Code
				}
				for range failureBurst { // the last of them waits, and no time passes meanwhile
					go send(tc.peer, tc.forwarded...)
				}
				synctest.Wait()
				for who, got := range map[string]int{
					"the victim": send(victim), "the victim behind the proxy": send(proxy, victim), "another behind the proxy": send(proxy, "198.51.100.9"),
				} {
					if got != http.StatusUnauthorized {
						t.Errorf("%s is answered %d, want 401", who, got)
					}
				}
				if got := send(tc.peer, tc.forwarded...); got != http.StatusTooManyRequests {
					t.Errorf("the forger is answered %d after %d failures, want 429", got, failureBurst)
				}
			})
		})
	}
}

// TestBombsAreNotOpened: what says of itself that it is packed is bytes like any other. It takes the memory of
// what was sent, and is stored as it came.
func TestBombsAreNotOpened(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for range 100 {
		if _, err := z.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	parts := strings.Repeat("--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n", 5000) + "--x--\r\n"
	nested := "Content-Type: multipart/mixed; boundary=y\r\n\r\n" + strings.Repeat("--y\r\nContent-Type: multipart/mixed; boundary=y\r\n\r\n", 5000)
	for name, tc := range map[string]struct {
		body, encoding, media string
	}{
		"gzip":                   {packed.String(), "gzip", "application/json"},
		"gzip, gzip":             {packed.String(), "gzip, gzip", "application/json"},
		"gzip in transfer":       {packed.String(), "", "application/gzip"},
		"a form":                 {parts, "", "multipart/form-data; boundary=x"},
		"parts in parts":         {nested, "", "multipart/mixed; boundary=y"},
		"a form in an address":   {strings.Repeat("a=b&", 50_000), "", "application/x-www-form-urlencoded"},
		"a form, another's name": {parts, "gzip", "application/json; boundary=x"},
	} {
		t.Run(name, func(t *testing.T) {
			log := ackAll()
			o := testOptions(t, log)
			s := newServer(t, o)
			r := signed(t, "one", "old", tc.body)
			r.Header.Set("Content-Type", tc.media)
			r.Header.Set("Content-Encoding", tc.encoding)
			before := allocated()
			code := serve(s, r).Code
			if n := allocated() - before; n > 16*uint64(len(tc.body)) {
				t.Errorf("%d bytes took %d of memory", len(tc.body), n)
			}
			if code != 200 {
				t.Fatalf("answered %d, want 200", code)
			}
			if string(log.all()[0].envelope.GetBody()) != tc.body {
				t.Error("the stored body differs from the one sent")
			}
		})
	}
}

// allocated is how many bytes were allocated so far, by the whole test binary.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// TestRotationRefusesNoSender: a secret is replaced process by process, each later than the one before, while the
// vendor signs with the old one, with both in turn, and with the new one. Each step is everywhere before the next
// begins; nobody who signs with what is in force is refused meanwhile.
func TestRotationRefusesNoSender(t *testing.T) {
	server := func(ids ...string) *Server {
		o := testOptions(t, ackAll())
		var secrets []auth.Secret
		for _, id := range ids {
			secrets = append(secrets, testSecret(t, id))
		}
		o.Endpoints[0].Proofs = proofs(testScheme, secrets...)
		return newServer(t, o)
	}
	before, both, after := server("old"), server("old", "new"), server("new")
	for _, step := range []struct {
		name      string
		processes []*Server
		signs     []string
	}{
		{"nothing has begun", []*Server{before, before}, []string{"old"}},
		{"one process has both", []*Server{both, before}, []string{"old"}},
		{"all have both, the vendor changes over", []*Server{both, both}, []string{"old", "new"}},
		{"the vendor is done, one process has the new one alone", []*Server{after, both}, []string{"new"}},
		{"all have the new one alone", []*Server{after, after}, []string{"new"}},
	} {
		for i, s := range step.processes {
			for _, id := range step.signs {
				if w := serve(s, signed(t, "one", id, testBody)); w.Code != 200 {
					t.Errorf("%s: process %d answers %d to what the %s secret signed, want 200", step.name, i, w.Code, id)
				}
			}
		}
	}
	if w := serve(after, signed(t, "one", "old", testBody)); w.Code != 401 {
		t.Errorf("what the old secret signed is answered %d when it is gone, want 401", w.Code)
	}
}

// TestClocksThatDiffer: a clock of a process that is ten minutes off refuses nobody whose proof has no time in it,
// and secrets begin and end by the clock of the process that checks.
func TestClocksThatDiffer(t *testing.T) {
	noon := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	ends := func(after time.Time) []auth.Secret {
		s, err := auth.NewSecret("old", []byte("synthetic-secret-old"), time.Time{}, after)
		if err != nil {
			t.Fatal(err)
		}
		return []auth.Secret{s, testSecret(t, "new")}
	}
	for _, off := range []time.Duration{-10 * time.Minute, 0, 10 * time.Minute} {
		for _, tc := range []struct {
			signs string
			ends  time.Time
			want  int
		}{
			{"new", noon, 200}, {"old", noon.Add(time.Hour), 200}, {"old", noon.Add(-time.Hour), 401},
		} {
			o := testOptions(t, ackAll())
			o.Now = func() time.Time { return noon.Add(off) }
			o.Endpoints[0].Proofs = proofs(testScheme, ends(tc.ends)...)
			if w := serve(newServer(t, o), signed(t, "one", tc.signs, testBody)); w.Code != tc.want {
				t.Errorf("a clock %s off answers %d to the %s secret that ends at %s, want %d", off, w.Code, tc.signs, tc.ends.Format(time.TimeOnly), tc.want)
			}
		}
	}
}
