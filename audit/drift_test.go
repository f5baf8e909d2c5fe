package audit_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/kycbridge/kycbridge/audit"
	"github.com/kycbridge/kycbridge/internal/record"
)

var update = flag.Bool("update", false, "write the golden files")

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// topic is a source made of observations, by partition.
func topic(partitions ...[]audit.Observation) audit.Source {
	s := audit.Source{Name: "kyc.raw.v1", Partitions: int32(len(partitions))}
	s.Scan = func(_ context.Context, partition int32, fn func(record.Record) error) error {
		for n := range partitions[partition] {
			if err := fn(record.Record{Topic: s.Name, Partition: partition, Offset: int64(n)}); err != nil {
				return err
			}
		}
		return nil
	}
	s.Observe = func(r record.Record) (audit.Observation, error) {
		o := partitions[r.Partition][r.Offset]
		o.Sample = audit.Sample{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Delivery: fmt.Sprintf("delivery-%d-%d", r.Partition, r.Offset)}
		return o, nil
	}
	return s
}

func said(vendor string, minute int, news ...audit.News) audit.Observation {
	return audit.Observation{Vendor: vendor, ReceivedAt: noon.Add(time.Duration(minute) * time.Minute), News: news}
}

func word(kind, word string) audit.News { return audit.News{Kind: kind, Word: word} }

// sample is a report with something of everything.
func sample() []audit.Source {
	return []audit.Source{
		topic(
			[]audit.Observation{
				said("complycube", 1, word("outcome", "probably_fine")),
				said("complycube", 2),
				said("complycube", 9, word("outcome", "probably_fine"), word("outcome", "probably_fine"), word("field", "payload.newField")),
				said("idwise", 3, word("event_type", "Journey Paused")),
			},
			[]audit.Observation{
				said("complycube", 5, word("outcome", "probably_fine")),
				said("complycube", 6, word("reason_code", "")),
				{}, // no delivery at all
			},
		),
		topic([]audit.Observation{{Skip: true}, fetched}),
	}
}

// fetched is a delivery again, with the vendor's object: only that adds news.
var fetched = audit.Observation{
	Vendor: "idwise", ReceivedAt: noon.Add(4 * time.Minute),
	News: []audit.News{word("event_type", "Journey Paused"), word("fetched_status", "PAUSED")},
	Told: []audit.News{word("event_type", "Journey Paused")},
}

func TestDrift(t *testing.T) {
	report, err := audit.Drift(t.Context(), sample(), audit.DriftOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var lines strings.Builder
	e := json.NewEncoder(&lines)
	for _, entry := range report.Entries {
		if err := e.Encode(entry); err != nil {
			t.Fatal(err)
		}
	}
	golden(t, "testdata/lines.jsonl", lines.String())
	if report.Records != 7 || report.Drifted != 6 || report.Unread != 1 || report.Unlisted != 0 {
		t.Errorf("the report covers %+v", report)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and review the change\ngot:\n%s", path, got)
	}
}

func TestDriftOfSomeVendors(t *testing.T) {
	report, err := audit.Drift(t.Context(), sample(), audit.DriftOptions{Vendors: []string{"idwise"}})
	if err != nil {
		t.Fatal(err)
	}
	if report.Records != 2 || len(report.Entries) != 2 {
		t.Errorf("%d records, entries %+v; want the two of idwise", report.Records, report.Entries)
	}
	for _, e := range report.Entries {
		if e.Vendor != "idwise" {
			t.Errorf("an entry of %s, which nobody asked for", e.Vendor)
		}
	}
}

// TestDriftIsBounded: a vendor that sends a new word each time fills no memory,
// and what is not listed is counted.
func TestDriftIsBounded(t *testing.T) {
	const many, listed = 5000, 7
	source := audit.Source{
		Name: "kyc.raw.v1", Partitions: 1,
		Scan: func(_ context.Context, _ int32, fn func(record.Record) error) error {
			for n := range int64(many) {
				if err := fn(record.Record{Offset: n}); err != nil {
					return err
				}
			}
			return nil
		},
		Observe: func(r record.Record) (audit.Observation, error) {
			letters := strings.NewReplacer("0", "a", "1", "b", "2", "c", "3", "d", "4", "e", "5", "f", "6", "g", "7", "h", "8", "i", "9", "j")
			return said("complycube", int(r.Offset), word("status", letters.Replace(fmt.Sprint(r.Offset))), word("status", "same")), nil
		},
	}
	report, err := audit.Drift(t.Context(), []audit.Source{source}, audit.DriftOptions{MaxEntries: listed})
	if err != nil {
		t.Fatal(err)
	}
	var counted int64
	for _, e := range report.Entries {
		counted += e.Count
	}
	if len(report.Entries) != listed || counted+report.Unlisted != 2*many {
		t.Errorf("%d entries with %d sightings and %d unlisted; want %d entries and %d sightings in all", len(report.Entries), counted, report.Unlisted, listed, 2*many)
	}
	if report.Entries[0].Word != "same" || report.Entries[0].Count != many {
		t.Errorf("the first entry is %+v; want the word that was always there", report.Entries[0])
	}
}

// TestDriftEndsEarly: a failure is told with its place, and what was read before
// is not lost.
func TestDriftEndsEarly(t *testing.T) {
	broken := errors.New("disk on fire")
	sources := sample()
	scan := sources[0].Scan
	sources[0].Scan = func(ctx context.Context, partition int32, fn func(record.Record) error) error {
		if partition == 1 {
			return broken
		}
		return scan(ctx, partition, fn)
	}
	report, err := audit.Drift(t.Context(), sources, audit.DriftOptions{})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "kyc.raw.v1 partition 1") {
		t.Errorf("error is %v; want the place and the cause", err)
	}
	if report.Records != 4 {
		t.Errorf("%d records reported, want the 4 of partition 0", report.Records)
	}

	ctx, cancel := context.WithCancel(t.Context())
	stop := audit.DriftOptions{Progress: func(p audit.Progress) {
		if p.Records == 3 {
			cancel()
		}
	}}
	if report, err = audit.Drift(ctx, sample(), stop); !errors.Is(err, context.Canceled) || report.Records != 3 {
		t.Errorf("after the third record: %d records, error %v; want 3 and a cancelled context", report.Records, err)
	}
}

// TestWordsAreLookedAt: what does not look like a word of a vocabulary is not
// shown, wherever it stood.
func TestWordsAreLookedAt(t *testing.T) {
	for given, want := range map[string]string{
		"match_confirmed":              "match_confirmed",
		"Finished User Steps":          "Finished User Steps",
		"payload.images[].size":        "payload.images[].size",
		"KYC_2026":                     "KYC_2026",
		"vérifié":                      "",
		"zoë":                          "",
		"eyJhbGciOiJub25lIn0.e30.c2ln": "",
		"":                             "",
		"ada@example.org":              "",
		"1990-12-31":                   "",
		"+44 20 7946 0000":             "",
		"payload.AB1234567":            "",
		"65f0fc7fe9c12d74a4246c13":     "",
		"<script>":                     "",
		"https://example.org/?a=b":     "",
		"red\x1b[31m":                  "",
		"two\nlines":                   "",
		strings.Repeat("long ", 20):    "",
	} {
		report, err := audit.Drift(t.Context(), []audit.Source{topic([]audit.Observation{said("complycube", 1, word("status", given))})}, audit.DriftOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := report.Entries[0].Word; got != want {
			t.Errorf("%q is shown as %q, want %q", given, got, want)
		}
	}
}
