package e2e

import (
	"encoding/json"
	"regexp"
	"sync"
	"testing"
)

// running is a `kycbridge dev` that others send to.
type running struct {
	*process
	listen, kafka, data string
}

func startDev(t *testing.T, data string, args ...string) *running {
	t.Helper()
	d := &running{listen: freePort(t), kafka: freePort(t), data: data}
	admin := freePort(t)
	d.process = start(t, admin, nil, append([]string{"dev", "--listen", d.listen, "--kafka", d.kafka, "--admin", admin, "--data", data}, args...)...)
	d.ready(t)
	return d
}

var redisOfDev = regexp.MustCompile(`(?i)redis\S*\s+(?:at )?(127\.0\.0\.1:\d+)`)

// redis is the address that dev printed.
func (d *running) redis(t *testing.T) string {
	t.Helper()
	var at string
	if !eventually(patience, func() bool {
		if found := redisOfDev.FindStringSubmatch(d.log.String()); found != nil {
			at = found[1]
		}
		return at != ""
	}) {
		t.Fatalf("dev did not print where its Redis is:\n%s", d.log.String())
	}
	return at
}

// sendAll sends what every vendor has to say that makes events on all domain topics, and waits until all of it has
// come to an end.
func (d *running) sendAll(t *testing.T) {
	t.Helper()
	var all sync.WaitGroup
	for _, vendor := range []string{"complycube", "idenfy"} {
		all.Go(func() {
			_, errs, code := command(t, nil, "send", vendor, "--count", "60", "--to", "http://"+d.listen+"/hooks/"+vendor, "--admin", "http://"+d.admin, "--data", d.data)
			if code != 0 {
				t.Errorf("send %s ends with %d: %s", vendor, code, errs)
			}
		})
	}
	all.Wait()
	var verdict struct{ Pending, Waiting, Unreadable int64 }
	if !eventually(patience, func() bool {
		out, _, code := command(t, nil, "verify", "--json", "--brokers", d.kafka)
		return code == 0 && json.Unmarshal([]byte(out), &verdict) == nil && verdict.Pending+verdict.Waiting == 0
	}) {
		t.Fatalf("not all deliveries came to an end: %+v", verdict)
	}
	if verdict.Unreadable != 0 {
		t.Errorf("verify cannot read %d records", verdict.Unreadable)
	}
}

// events are all that tail reads of the domain topics.
func (d *running) events(t *testing.T) map[string]decodedLine {
	t.Helper()
	out, errs, code := command(t, nil, "tail", "session", "check", "aml", "renewal", "resource", "--brokers", d.kafka, "--from-start", "--until-end")
	if code != 0 {
		t.Fatalf("tail ends with %d: %s", code, errs)
	}
	return decodedLines(t, out)
}
