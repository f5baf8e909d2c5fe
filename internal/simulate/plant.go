package simulate

import (
	"context"
	"encoding/base64"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/kycbridge/kycbridge/internal/canary"
	"github.com/kycbridge/kycbridge/providers"
)

// Planted is a delivery with made-up data about a person in it, in a place where no sample has any.
type Planted struct {
	canary.Canary
	Where    string // "body payload.clientId", "the user of Basic"
	Unproved bool   // it has no right proof, so it must be refused
	Delivery
}

// Plant is traffic for those who look for what leaks: fresh deliveries of the fixtures, each with one canary. At
// every place of the bodies and of what the APIs answer one kind has its turn, and every kind in all else of a
// request that a stranger fills in: headers, query, path and proofs. The APIs are told the objects; nil: there are none.
func (s *Sender) Plant(fixtures []providers.Fixture, seed uint64, apis *FakeAPIs) iter.Seq[Planted] {
	return func(yield func(Planted) bool) {
		p := planter{Sender: s, apis: apis, seed: seed, met: map[string]bool{}, yield: yield}
		for _, f := range fixtures {
			if !p.bodies(f) || !p.answers(f) {
				return
			}
		}
		if good := slices.IndexFunc(fixtures, func(f providers.Fixture) bool { return !f.Bad() }); good >= 0 {
			_ = p.requests(fixtures[good])
		}
	}
}

// Post sends a delivery once, and hands the answer to read.
func (s *Sender) Post(ctx context.Context, d Delivery, read func(*http.Response) error) error {
	return s.exchange(ctx, d, read)
}

// planter makes the deliveries of Plant. Its methods report whether to go on.
type planter struct {
	*Sender
	apis  *FakeAPIs
	seed  uint64
	turn  int
	met   map[string]bool
	yield func(Planted) bool
}

// next is the kind whose turn it is; false at a place that was met before.
func (p *planter) next(where string) (c canary.Canary, ok bool) {
	if p.met[where] {
		return c, false
	}
	p.met[where] = true
	all := canary.All()
	p.turn++
	return all[p.turn%len(all)], true
}

// fresh is a fixture's body with ids of its own.
func (p *planter) fresh(f providers.Fixture) providers.Fixture {
	p.seed++
	f.Body = slices.Clone(f.Body)
	if p.vendor.Vary != nil {
		f.Body = p.vendor.Vary(f.Body, p.seed)
	}
	return f
}

func (p *planter) bodies(f providers.Fixture) bool {
	for spot := range canary.Spots(p.fresh(f).Body) {
		c, ok := p.next("body " + spot.Path)
		if !ok {
			continue
		}
		body, ok := at(p.fresh(f).Body, spot.Path, c.Text) // each has an identity of its own
		if !ok {
			continue
		}
		d := p.Seal(body, f.Headers)
		p.tell(f, d)
		if !p.yield(Planted{c, "body " + spot.Path, false, d}) {
			return false
		}
	}
	return true
}

// at is a body with a text at the first place of that path; false where it has none.
func at(body []byte, path, text string) ([]byte, bool) {
	for spot := range canary.Spots(body) {
		if spot.Path == path {
			return spot.With(text), true
		}
	}
	return nil, false
}

// answers plants in the objects of the vendor's API.
func (p *planter) answers(f providers.Fixture) bool {
	if f.Fetched == nil || p.apis == nil {
		return true
	}
	for spot := range canary.Spots(f.Fetched.Body) {
		c, ok := p.next("answer " + spot.Path)
		if !ok {
			continue
		}
		answered, fetched := f, *f.Fetched
		fetched.Body = spot.With(c.Text)
		answered.Fetched = &fetched
		d := p.Seal(p.fresh(f).Body, f.Headers)
		p.tell(answered, d)
		if !p.yield(Planted{c, "answer " + spot.Path, false, d}) {
			return false
		}
	}
	return true
}

func (p *planter) tell(f providers.Fixture, d Delivery) {
	if p.apis == nil {
		return
	}
	if id, answer, ok := sampleAnswer(p.vendor, f, &d); ok {
		p.apis.set(p.vendor.Name, id, answer)
	}
}

// requests plants in all of a request but its body. Whatever may be a proof makes it one that proves nothing.
func (p *planter) requests(f providers.Fixture) bool {
	f = p.fresh(f)
	for _, c := range canary.All() {
		text := strings.Map(printable, c.Text)
		for where, change := range map[string]func(d *Delivery){
			"query":                    func(d *Delivery) { d.URL += "?name=" + url.QueryEscape(text) },
			"a name in the query":      func(d *Delivery) { d.URL += "?" + url.QueryEscape(text) },
			"header Referer":           func(d *Delivery) { d.Header.Set("Referer", "https://shop.invalid/?q="+url.QueryEscape(text)) },
			"header Cookie":            func(d *Delivery) { d.Header.Set("Cookie", "session="+url.QueryEscape(text)) },
			"header User-Agent":        func(d *Delivery) { d.Header.Set("User-Agent", text) },
			"header X-Forwarded-For":   func(d *Delivery) { d.Header.Set("X-Forwarded-For", text+", 203.0.113.7") },
			"header X-Request-Id":      func(d *Delivery) { d.Header.Set("X-Request-Id", text) },
			"header Traceparent":       func(d *Delivery) { d.Header.Set("Traceparent", "00-"+text) },
			"header Content-Type":      func(d *Delivery) { d.Header.Set("Content-Type", "application/json; charset="+text) },
			"header Content-Encoding":  func(d *Delivery) { d.Header.Set("Content-Encoding", text) },
			"header Idenfy-Event-Type": func(d *Delivery) { d.Header.Set("Idenfy-Event-Type", text) },
			"the name of a header":     func(d *Delivery) { d.Header.Set("X-"+base64.RawURLEncoding.EncodeToString([]byte(text)), text) },
		} {
			d := p.Seal(f.Body, f.Headers)
			change(&d)
			if !p.yield(Planted{c, where, false, d}) {
				return false
			}
		}
		if !p.proofs(f, c, text) {
			return false
		}
	}
	return true
}

// proofs plants in place of what proves the sender, and in addresses that lead nowhere.
func (p *planter) proofs(f providers.Fixture, c canary.Canary, text string) bool {
	d, basic := p.Seal(f.Body, f.Headers), base64.StdEncoding.EncodeToString
	wrong := []Planted{
		{Where: "an endpoint's name", Delivery: elsewhere(d, named(p.url, text))},
		{Where: "a path that is too long", Delivery: elsewhere(d, d.URL+"/"+url.PathEscape(text))},
	}
	for name := range d.Header {
		if name == "Content-Type" || name == "User-Agent" || f.Headers.Get(name) != "" {
			continue // it proves nothing
		}
		for what, value := range map[string]string{
			"":                  text,
			", the user":        "Basic " + basic([]byte(text+":a-password-of-nobody")),
			", the password":    "Basic " + basic([]byte("somebody:"+text)),
			", a bearer token":  "Bearer " + text,
			", a token of ours": token(text),
		} {
			forged := d
			forged.Header = d.Header.Clone()
			forged.Header[name] = []string{value}
			wrong = append(wrong, Planted{Where: "proof in header " + name + what, Delivery: forged})
		}
	}
	if len(d.plain) > 0 && string(d.Body) != string(d.plain) { // the body is the proof
		forged := d
		forged.Body = []byte(token(text))
		wrong = append(wrong, Planted{Where: "proof in the body", Delivery: forged})
	}
	if token, ok := strings.CutPrefix(d.URL, p.url+"/"); ok && token != "" {
		wrong = append(wrong, Planted{Where: "proof in the path", Delivery: elsewhere(d, p.url+"/"+url.PathEscape(text))})
	}
	for _, w := range wrong {
		w.Canary, w.Unproved = c, true
		if !p.yield(w) {
			return false
		}
	}
	return true
}

// named is an endpoint's address with another name in it.
func named(address, name string) string {
	return address[:strings.LastIndexByte(address, '/')+1] + url.PathEscape(name)
}

func elsewhere(d Delivery, address string) Delivery {
	d.URL = address
	return d
}

// token has the form of a JWT, with a text in its key id and in what it claims.
func token(text string) string {
	part := func(name string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","` + name + `":"` + text + `"}`))
	}
	return part("kid") + "." + part("data") + "." + base64.RawURLEncoding.EncodeToString([]byte(text))
}

// printable takes out what no header may hold.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f {
		return -1
	}
	return r
}
