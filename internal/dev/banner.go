package dev

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/embedded"
	"github.com/kycbridge/kycbridge/internal/operate"
	"github.com/kycbridge/kycbridge/internal/serve"
	"github.com/kycbridge/kycbridge/internal/simulate"
	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
)

// printBanner says where `dev` listens and what to try next. Every command in
// it works as printed.
func (o Options) printBanner(a serve.Addresses, p passwords) {
	out := &bytes.Buffer{}
	fmt.Fprintf(out, "\nkycbridge dev is up\n\n")
	keys := o.keys()
	for _, v := range o.Vendors {
		printHooks(out, keys, a, v)
	}
	fmt.Fprintf(out, "  Kafka      %s   topics %s*, read with isolation.level=read_committed\n", a.Kafka, schemas.DefaultPrefix)
	fmt.Fprintf(out, "  Redis      %s   for `deadletter replay` and `replay --mode fill-gaps`\n", a.Redis)
	fmt.Fprintf(out, "  health     http://%s/readyz   metrics http://%s/metrics\n", dialable(a.Admin), dialable(a.Admin))
	fmt.Fprintf(out, "  data       %s   (delete it to start afresh)\n", o.Dir)
	if p.secret != "" {
		fmt.Fprintf(out, "  password   of Kafka (SASL_PLAINTEXT, SCRAM-SHA-256, user %s) and Redis: in %s\n", embedded.KafkaUser, p.file)
		fmt.Fprintf(out, "             other commands take it with --config %s\n", quote(p.clients))
	}
	vendor := o.Vendors[0]
	where, kcat := o.where(a, p), ""
	if p.secret != "" {
		kcat = "-F " + quote(p.kcatFile) + " "
	}
	fmt.Fprintf(out, "\nTry next, in a second terminal:\n\n")
	fmt.Fprintf(out, "  %s tail%s\n", o.Program, where)
	fmt.Fprintf(out, "  %s send %s --wait%s\n", o.Program, vendor.Name, where)
	fmt.Fprintf(out, "  kcat %s-b %s -t %s%s -C -o beginning -f '%%k  %%h\\n'\n", kcat, a.Kafka, schemas.DefaultPrefix, schemas.Session)
	printCurl(out, keys, a, vendor)
	fmt.Fprintln(out)
	_, _ = o.Out.Write(out.Bytes())
}

// where is what the other commands must be told to find this `dev`: nothing where it listens at the usual addresses.
func (o Options) where(a serve.Addresses, p passwords) string {
	first := o.Vendors[0].Name
	if p.secret == "" && a.Kafka == operate.DefaultKafka && hookURL(a, first) == simulate.DefaultURL(first) {
		return ""
	}
	return " --data " + quote(filepath.Dir(filepath.Dir(p.clients)))
}

// printHooks prints where a vendor's webhooks are taken, and what each endpoint wants to see.
func printHooks(out io.Writer, keys simulate.Keyring, a serve.Addresses, v providers.Provider) {
	ways, err := keys.Ways(v)
	if err != nil {
		return // or the endpoints would not be there
	}
	for _, way := range ways {
		fmt.Fprintf(out, "  webhooks   POST %s   (%s)\n", hookURL(a, way.Endpoint), keys.Describe(way))
	}
}

// printCurl prints one signed delivery as a command.
func printCurl(out io.Writer, keys simulate.Keyring, a serve.Addresses, v providers.Provider) {
	ways, err := keys.Ways(v)
	if err != nil {
		return
	}
	fixtures, err := v.GoodFixtures()
	if err != nil {
		return
	}
	s, err := simulate.NewSender(v, ways[0], hookURL(a, v.Name), 1, "")
	if err != nil {
		return
	}
	f := simulate.Typical(v, byHand(fixtures))
	var body bytes.Buffer
	if json.Compact(&body, s.Sign(f, rand.Uint64()).Body) != nil {
		return
	}
	d := s.Seal(body.Bytes(), f.Headers) // signed again: these are other bytes
	d.Header.Del("User-Agent")
	fmt.Fprintf(out, "\nOr by hand:\n\n  curl -i %s", d.URL)
	if a.Certificate != "" {
		fmt.Fprintf(out, " \\\n    --cacert %s", quote(a.Certificate))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Header)) {
		fmt.Fprintf(out, " \\\n    -H %s", quote(name+": "+d.Header.Get(name)))
	}
	fmt.Fprintf(out, " \\\n    --data-binary %s\n", quote(string(d.Body)))
}

// byHand leaves out the samples with made-up personal data, which are for tests and odd
// to look at, and those that say nothing without an answer of the vendor's API, unless
// there is no other.
func byHand(fixtures []providers.Fixture) []providers.Fixture {
	whole := slices.DeleteFunc(slices.Clone(fixtures), func(f providers.Fixture) bool {
		return f.Fetched != nil || bytes.Contains(bytes.ToUpper(f.Body), []byte("CANARY"))
	})
	if len(whole) == 0 {
		return fixtures
	}
	return whole
}

// quote makes one word of text for a POSIX shell.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func hookURL(a serve.Addresses, endpoint string) string {
	scheme := "http://"
	if a.Certificate != "" {
		scheme = "https://"
	}
	return scheme + dialable(a.Hooks) + "/hooks/" + endpoint
}

// dialable turns "every address of this machine" into one that can be dialled.
func dialable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
