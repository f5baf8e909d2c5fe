package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

// probeEvery is how often the admin address is asked, over a new connection each time, as an orchestrator does.
const probeEvery = 100 * time.Millisecond

// probed is what whoever watches over the process saw.
type probed struct {
	asked, unanswered int
	slowest           time.Duration
}

// probe asks /livez and /metrics in turn until ctx ends.
func probe(ctx context.Context, admin string) (p probed) {
	client := &http.Client{Timeout: answerLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return p
		case <-tick.C:
		}
		path := [...]string{"/livez", "/metrics"}[n%2]
		r, err := http.NewRequestWithContext(context.WithoutCancel(ctx), http.MethodGet, "http://"+admin+path, nil)
		if err != nil {
			p.unanswered++
			return p
		}
		begin := time.Now()
		status, err := answerTo(client, r)
		p.asked++
		p.slowest = max(p.slowest, time.Since(begin))
		if err != nil || status != http.StatusOK {
			p.unanswered++
		}
	}
}

// counters are the product's, summed over all labels but the outcome: by name, or name and outcome.
type counters map[string]float64

const ingestMetrics = "kycbridge_ingest_"

// readCounters asks the product for those of ingest.
func readCounters(ctx context.Context, admin string) (counters, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+admin+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return parseCounters(answer.Body)
}

func parseCounters(from io.Reader) (counters, error) {
	c := counters{}
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), ingestMetrics) {
			continue
		}
		end := strings.LastIndexByte(lines.Text(), ' ')
		if end < 0 {
			return nil, fmt.Errorf("metrics: %q has no value", lines.Text())
		}
		series, number := lines.Text()[:end], lines.Text()[end+1:]
		value, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, fmt.Errorf("metrics: %q: %w", lines.Text(), err)
		}
		name, labels, _ := strings.Cut(series, "{")
		if _, outcome, has := strings.Cut(labels, `outcome="`); has {
			outcome, _, _ = strings.Cut(outcome, `"`)
			name += " " + outcome
		}
		c[strings.TrimPrefix(name, ingestMetrics)] += value
	}
	return c, lines.Err()
}

// since is what was counted after before.
func (c counters) since(before counters) counters {
	d := maps.Clone(c)
	for name, value := range before {
		d[name] -= value
	}
	return d
}

// digest names a body.
type digest [sha256.Size]byte

// A register knows which bodies were signed, and which of them were taken.
type register map[digest]bool

// enrol lists the signed webhooks with what became of them.
func enrol(all []webhook, became []posted) (register, error) {
	known := register{}
	for i, h := range all {
		r, err := h.request("")
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		known[sha256.Sum256(body)] = became[i].err == nil && became[i].status/100 == 2
	}
	return known, nil
}

// stored is what the raw topic holds, beside the register.
type stored struct {
	letIn int // records whose body nobody signed
	lost  int // bodies that were taken and are in no record
}

func (known register) compare(bodies [][]byte) (s stored) {
	there := map[digest]bool{}
	for _, b := range bodies {
		d := digest(sha256.Sum256(b))
		there[d] = true
		if _, signed := known[d]; !signed {
			s.letIn++
		}
	}
	for d, taken := range known {
		if taken && !there[d] {
			s.lost++
		}
	}
	return s
}

// rawBodies reads the whole raw topic, as it is now.
func (d *deployment) rawBodies(ctx context.Context) (bodies [][]byte, err error) {
	var broken error
	err = d.eachCommitted(ctx, schemas.Raw, func(r *kgo.Record) {
		var e kycv1.RawEnvelope
		if err := proto.Unmarshal(r.Value, &e); err != nil {
			broken = errors.Join(broken, fmt.Errorf("%s[%d]@%d: %w", r.Topic, r.Partition, r.Offset, err))
		}
		bodies = append(bodies, e.GetBody())
	})
	return bodies, errors.Join(err, broken)
}
