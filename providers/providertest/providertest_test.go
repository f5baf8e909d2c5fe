package providertest

import (
	"crypto"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/providers/auth"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// recorder takes the complaints of a check in place of a test.
type recorder struct {
	testing.TB
	complaints []string
}

func (r *recorder) Helper()           {}
func (r *recorder) Error(args ...any) { r.complaints = append(r.complaints, fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, args ...any) {
	r.complaints = append(r.complaints, fmt.Sprintf(f, args...))
}

// toy is a vendor as small as can be, and sound.
func toy() providers.Provider {
	return providers.Provider{
		Name: "providertest", Title: "Toy", MapperVersion: "providertest/1",
		Scheme: auth.HMAC{Header: "Toy-Signature", Hash: crypto.SHA256},
		Key:    func(d *providers.Delivery) string { return providers.ScanID(d.Body, "check") },
		Parse: func(d *providers.Delivery) (*providers.Notice, error) {
			doc, err := providers.ReadObject(d.Body)
			if err != nil {
				return nil, err
			}
			id := doc.At("id").ID()
			return &providers.Notice{ID: id, Type: "done", MapAs: "done", Identity: providers.Identity{id}, Content: providers.Canonical(doc, nil), Doc: doc}, nil
		},
		Maps:     map[string]providers.MapFunc{"done": mapToy},
		Verdicts: []string{"verdict"},
		Vary:     func(body []byte, n uint64) []byte { return providers.VaryIDs(body, n, "id") },
		Testdata: fstest.MapFS{
			"testdata/done/body.json": {Data: []byte(`{"id":"e-1","check":"c-1","verdict":"fine","final":true,"name":"CANARY-NAME"}`)},
		},
	}
}

var toyFields = providers.Fields{
	"id": providers.IDField, "check": providers.IDField, "verdict": providers.TextField, "final": providers.FlagField, "name": providers.AnyField,
}

func mapToy(_ *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
	var m providers.Mapping
	m.Shape("", n.Doc, toyFields)
	check := n.Doc.At("check").ID()
	if check == "" {
		return m, &providers.Problem{Field: "check", Detail: "want an id", Err: providers.ErrInvalid}
	}
	e := &kycv1.CheckEvent{Metadata: &kycv1.EventMetadata{Subject: &kycv1.Subject{CheckId: check}}}
	if e.VendorResult = providers.FirstWord(n.Doc.At("verdict").Text(), n.Type); e.VendorResult == "fine" && n.Doc.At("final").True() {
		e.Result = kycv1.CheckResult_CHECK_RESULT_PASSED
	}
	m.Add(e)
	return m, nil
}

// complaints runs the whole suite, with the golden as it should be.
func complaints(t *testing.T, p providers.Provider) string {
	t.Helper()
	s := newSuite(t, p)
	r := &recorder{TB: t}
	for _, f := range s.fixtures {
		f.Want = s.read(s.delivery(t, f, f.Body)).format(t)
		s.checkFixture(r, f)
	}
	for _, c := range checks {
		c.check(s, r)
	}
	return strings.Join(r.complaints, "\n")
}

func TestSoundVendorPasses(t *testing.T) {
	if got := complaints(t, toy()); got != "" {
		t.Errorf("the suite complains about a sound vendor:\n%s", got)
	}
}

// after changes what the toy's mapper makes.
func after(change func(n *providers.Notice, e *kycv1.CheckEvent)) func(*providers.Provider) {
	return func(p *providers.Provider) {
		p.Maps = map[string]providers.MapFunc{"done": func(d *providers.Delivery, n *providers.Notice) (providers.Mapping, error) {
			m, err := mapToy(d, n)
			for _, e := range m.Events {
				change(n, e.(*kycv1.CheckEvent))
			}
			return m, err
		}}
	}
}

// gullible believes some of what it should not.
type gullible struct {
	auth.HMAC
	believe func(r auth.Request, err error) bool
}

func (g gullible) Verify(secrets []auth.Secret, r auth.Request) (string, error) {
	id, err := g.HMAC.Verify(secrets, r)
	if err != nil && len(secrets) > 0 && g.believe(r, err) {
		return secrets[0].ID, nil
	}
	return id, err
}

func believing(believe func(r auth.Request, err error) bool) func(*providers.Provider) {
	return func(p *providers.Provider) { p.Scheme = gullible{p.Scheme.(auth.HMAC), believe} }
}

// fault breaks a vendor in a way that the suite is there for.
type fault struct {
	name, want string
	breakIt    func(*providers.Provider)
}

func noticed(t *testing.T, faults []fault) {
	for _, tc := range faults {
		t.Run(tc.name, func(t *testing.T) {
			p := toy()
			tc.breakIt(&p)
			if got := complaints(t, p); !strings.Contains(got, tc.want) {
				t.Errorf("the suite does not notice; it says %q, want %q", got, tc.want)
			}
		})
	}
}

// TestSuiteCanFail breaks the toy in every way the suite is there for.
func TestSuiteCanFail(t *testing.T) {
	count := 0
	noticed(t, []fault{
		{"another name", "they must be equal", func(p *providers.Provider) { p.Name = "other" }},
		{"no title", "Title is not set", func(p *providers.Provider) { p.Title = "" }},
		{"a type without fixture", `no fixture is mapped as "more"`, func(p *providers.Provider) {
			p.Maps = map[string]providers.MapFunc{"done": mapToy, "more": mapToy}
		}},
		{"good news of unknown words", "still says", after(func(_ *providers.Notice, e *kycv1.CheckEvent) { e.Result = kycv1.CheckResult_CHECK_RESULT_PASSED })},
		{"a name leaves", "could identify a person", after(func(n *providers.Notice, e *kycv1.CheckEvent) { e.VendorKind = n.Doc.At("name").Text() })},
		{"a name in the identity", "could identify a person", func(p *providers.Provider) {
			parse := p.Parse
			p.Parse = func(d *providers.Delivery) (*providers.Notice, error) {
				n, err := parse(d)
				if err == nil {
					n.Identity = append(n.Identity, n.Doc.At("name").Text())
				}
				return n, err
			}
		}},
		{"breaks a rule", "breaks a rule of the contract", after(func(_ *providers.Notice, e *kycv1.CheckEvent) { e.ReasonCodes = []string{"free text"} })},
		{"not pure", "mapping twice differs", after(func(_ *providers.Notice, e *kycv1.CheckEvent) { count++; e.VendorKind = fmt.Sprint(count) })},
		{"key of another subject", "the raw key's id is", func(p *providers.Provider) {
			p.Key = func(d *providers.Delivery) string { return providers.ScanID(d.Body, "id") }
		}},
		{"key where nothing parses", "where Parse finds nothing", func(p *providers.Provider) { p.Key = func(*providers.Delivery) string { return "c-1" } }},
		{"varies nothing", "identity of another", func(p *providers.Provider) { p.Vary = func(body []byte, _ uint64) []byte { return body } }},
		{"an error that is no problem", "no *providers.Problem", func(p *providers.Provider) {
			p.Maps = map[string]providers.MapFunc{"done": func(*providers.Delivery, *providers.Notice) (providers.Mapping, error) {
				return providers.Mapping{}, io.EOF
			}}
		}},
		{"no events", "without events", func(p *providers.Provider) {
			p.Maps = map[string]providers.MapFunc{"done": func(*providers.Delivery, *providers.Notice) (providers.Mapping, error) {
				return providers.Mapping{}, nil
			}}
		}},
		{"believes any body", "of the body flipped", believing(func(r auth.Request, _ error) bool {
			return len(r.Header["Toy-Signature"]) == 1 && len(r.Header["Toy-Signature"][0]) == 64
		})},
		{"believes an unsigned delivery", "missing: Verify gives", believing(func(r auth.Request, _ error) bool { return r.Header["Toy-Signature"] == nil })},
		{"believes two signatures", "doubled: Verify gives", believing(func(r auth.Request, _ error) bool { return len(r.Header["Toy-Signature"]) == 2 })},
		{"signs without a secret", "signed with no secret: Verify gives", func(p *providers.Provider) { p.Scheme = generous{} }},
		{"no form without a secret", "cannot be read where nobody has signed it", func(p *providers.Provider) { p.Scheme = shapeless{p.Scheme} }},
		{"believes an expired secret", "an expired secret: Verify gives", believing(func(_ auth.Request, err error) bool { return strings.Contains(err.Error(), "no longer valid") })},
	})
}

// generous signs for everybody.
type generous struct{ auth.PathToken }

func (generous) Sign(_ auth.Secret, r *auth.Request) { r.PathToken = password(0) }

// shapeless sends no body where nobody signs it.
type shapeless struct{ auth.Scheme }

func (n shapeless) Sign(s auth.Secret, r *auth.Request) {
	if s.ID == "" {
		r.Body = nil
	}
	n.Scheme.Sign(s, r)
}

// token is a scheme that does not cover the body.
type token struct{}

func (token) Verify(secrets []auth.Secret, r auth.Request) (string, error) {
	for _, s := range secrets {
		want := auth.Request{Header: http.Header{}, Now: r.Now}
		token{}.Sign(s, &want)
		if values := r.Header["T"]; len(values) == 1 && want.Header.Get("T") == values[0] {
			return tokenMAC.Verify([]auth.Secret{s}, want)
		}
	}
	return "", auth.ErrMismatch
}

func (token) Sign(s auth.Secret, r *auth.Request) {
	tokenMAC.Sign(s, &auth.Request{Header: r.Header})
}

func (token) Traits() auth.Traits {
	return auth.Traits{Kind: "token", Setting: "headers", Header: "T", Description: "`headers`: a token", Prompt: "T: "}
}

var tokenMAC = auth.HMAC{Header: "T", Hash: crypto.SHA256}

// A vendor with a password or token passes without change to the suite.
func TestSchemeThatDoesNotBindTheBody(t *testing.T) {
	p := toy()
	p.Scheme = token{}
	if got := complaints(t, p); got != "" {
		t.Errorf("the suite complains:\n%s", got)
	}
}
