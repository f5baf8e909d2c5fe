package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// Story is what a vendor tells of one customer, company or account, as its own samples
// have it: what comes after what, after how long, with its ids and words. The people in
// it are invented. It is data, a file of the vendor's folder "stories":
//
//	{
//	  "about": "Approved at once, and nine days later monitoring finds a match.",
//	  "begins": "2026-03-02T09:14:00Z",
//	  "ids": ["customer-20417"],
//	  "fixed": ["40cbb7b3-7468-4b5d-8bb5-ff8e82510c70"],
//	  "deliveries": [
//	    {"after": "0s", "headers": {"Acme-Event": "identity.done"}, "body": {…}},
//	    {"after": "9d", "body": {…}, "fetched": {"result": "FETCHED", "kind": "check", "object": {…}}}
//	  ]
//	}
//
// "begins" is when the first delivery is sent; the times in the bodies belong to that
// time. "after" is a duration since the delivery before, "3d" is three days. "fetched" is
// as in fetched.json of a fixture: what the vendor's API answers from then on. A delivery
// that becomes a dead letter has its reason in "dead_letter".
type Story struct {
	Name  string // of the file
	About string // one sentence
	// Begins is when the first delivery is sent, in the times of the bodies.
	Begins time.Time
	// IDs are ids that have no digits but decimal ones, such as the customer's own
	// references. Those that are UUIDs or hex digits are found by their form.
	IDs []string
	// Fixed are ids that are the same in every telling: of a flow, of the account.
	Fixed []string
	// Deliveries are in the order in which they are sent.
	Deliveries []Told
}

// Told is a delivery of a story.
type Told struct {
	Fixture
	After   time.Duration          // since the delivery before it
	Becomes kycv1.DeadLetterReason // of the dead letter that it becomes; UNSPECIFIED: it becomes events
}

// Lasts is the time from the first delivery to the last.
func (s *Story) Lasts() (d time.Duration) {
	for _, t := range s.Deliveries {
		d += t.After
	}
	return d
}

// ReadStories reads all stories, in the order of their names; none where there is no folder.
func (p *Provider) ReadStories() ([]Story, error) {
	if p.Stories == nil {
		return nil, nil
	}
	names, err := fs.Glob(p.Stories, "stories/*.json")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.Name, err)
	}
	var all []Story
	for _, name := range names {
		text, err := fs.ReadFile(p.Stories, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.Name, err)
		}
		s, err := readStory(strings.TrimSuffix(path.Base(name), ".json"), text)
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", p.Name, name, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// toldFile is a delivery as a file has it.
type toldFile struct {
	After      string            `json:"after"`
	Headers    map[string]string `json:"headers"`
	Body       json.RawMessage   `json:"body"`
	Fetched    json.RawMessage   `json:"fetched"`
	DeadLetter string            `json:"dead_letter"`
}

func readStory(name string, text []byte) (Story, error) {
	var file struct {
		About      string     `json:"about"`
		Begins     time.Time  `json:"begins"`
		IDs        []string   `json:"ids"`
		Fixed      []string   `json:"fixed"`
		Deliveries []toldFile `json:"deliveries"`
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&file); err != nil {
		return Story{}, fmt.Errorf("want an object with about, begins and deliveries: %w", err)
	}
	if file.About == "" || file.Begins.IsZero() || len(file.Deliveries) == 0 {
		return Story{}, errors.New("want an object with about, begins and deliveries, none of them empty")
	}
	s := Story{Name: name, About: file.About, Begins: file.Begins, IDs: file.IDs, Fixed: file.Fixed}
	for i, f := range file.Deliveries {
		told, err := f.told()
		if err != nil {
			return Story{}, fmt.Errorf("delivery %d: %w", i+1, err)
		}
		told.Name = name + " " + strconv.Itoa(i+1)
		s.Deliveries = append(s.Deliveries, told)
	}
	return s, nil
}

// told reads a delivery. The body goes out without the blanks of the file.
func (f toldFile) told() (t Told, err error) {
	var body bytes.Buffer
	if len(f.Body) == 0 {
		return t, errors.New("want a body")
	}
	if err := json.Compact(&body, f.Body); err != nil {
		return t, fmt.Errorf("body: %w", err)
	}
	t.Body, t.Headers = body.Bytes(), http.Header{}
	for name, value := range f.Headers {
		t.Headers.Set(name, value)
	}
	if t.After, err = ago(f.After); err != nil {
		return t, err
	}
	if len(f.Fetched) > 0 {
		if t.Fetched, err = parseFetched(f.Fetched); err != nil {
			return t, fmt.Errorf("fetched: %w", err)
		}
	}
	if f.DeadLetter == "" {
		return t, nil
	}
	t.Becomes = kycv1.DeadLetterReason(kycv1.DeadLetterReason_value["DEAD_LETTER_REASON_"+f.DeadLetter])
	if t.Becomes == kycv1.DeadLetterReason_DEAD_LETTER_REASON_UNSPECIFIED {
		return t, fmt.Errorf("dead_letter is %q; want the name of a reason, such as UNMAPPED", f.DeadLetter)
	}
	return t, nil
}

// ago reads "90s", "2h30m" or "3d".
func ago(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil {
			return time.Duration(n) * day, nil
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf(`after is %q; want a duration since the delivery before, such as "90s" or "3d"`, text)
	}
	return d, nil
}
