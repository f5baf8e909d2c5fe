package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
)

// brokerIncidents: each has an Apache Kafka of its own, which is stopped, filled and put back.
func brokerIncidents() []fault {
	return []fault{
		{name: "kafka-restored", does: "Kafka's data is put back to a copy while Redis keeps its marks", only: true, run: kafkaRestored},
		{name: "broker-disk-full", does: "the disk of a broker is full, and the broker ends", only: true, run: brokerDiskFull},
	}
}

// ownKafka is a broker that belongs to one test.
type ownKafka struct {
	t    testing.TB
	dir  string
	env  []string
	addr string
}

// startKafka starts an Apache Kafka of its own, in a folder of its own, with the script of `make services`.
func startKafka(t testing.TB, dir string) *ownKafka {
	t.Helper()
	first := 0
	for try := range 50 {
		port := 23000 + (os.Getpid()*7+try*131)%9000
		if sixFree(port) {
			first = port
			break
		}
	}
	if first == 0 {
		t.Fatal("no six free ports in a row")
	}
	_, redis, _ := net.SplitHostPort(freePort(t))
	k := &ownKafka{t: t, dir: dir, addr: "127.0.0.1:" + strconv.Itoa(first)}
	k.env = append(os.Environ(), "KAFKA_BROKERS=1", "KAFKA_PORT="+strconv.Itoa(first), "REDIS_PORT="+redis,
		"KYCBRIDGE_SERVICES_DIR="+dir, "KAFKA_HEAP_OPTS=-Xms128m -Xmx256m")
	t.Cleanup(func() { _, _ = k.script("stop.sh") })
	k.start()
	return k
}

func sixFree(first int) bool {
	for port := first; port < first+6; port++ {
		ln, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			return false
		}
		_ = ln.Close()
	}
	return true
}

func (k *ownKafka) script(name string) (string, error) {
	cmd := exec.Command("../deploy/services/" + name)
	cmd.Env = k.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (k *ownKafka) start() {
	k.t.Helper()
	if out, err := k.script("start.sh"); err != nil {
		k.t.Fatalf("start.sh: %v\n%s", err, out)
	}
}

func (k *ownKafka) stop() {
	k.t.Helper()
	if out, err := k.script("stop.sh"); err != nil {
		k.t.Fatalf("stop.sh: %v\n%s", err, out)
	}
}

// node is the folder of its one node: data, log and process id.
func (k *ownKafka) node() string { return filepath.Join(k.dir, "kafka-1", "node-1") }

// use lets the scene work on this Kafka from now on.
func (k *ownKafka) use(s *scene) {
	s.Helper()
	s.kafka = k.addr
	client := s.connect()
	s.admin = kadm.NewClient(client)
	s.write()
	s.topics(client)
}

// kafkaRestored: what was accepted after the copy is gone from Kafka, and marks say that it was published. The
// vendor's copies must come out.
func kafkaRestored(s *scene) {
	k := startKafka(s, s.TempDir())
	k.use(s)
	in, first, second := s.calm()
	p := s.runbook("Kafka was restored from a copy")
	s.grow(100)
	s.stop()
	s.during.quiet(s)
	s.during.stop()
	all := []*member{in, first, second}
	down := func() {
		for _, m := range all {
			m.process.stop(s)
		}
		k.stop()
	}
	up := func() {
		k.start()
		all[0] = all[0].again()
	}
	down()
	if out, err := shell("cp", "-a", k.node()+"/data", k.node()+"/copy"); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	up()
	all[1], all[2] = all[1].again(), all[2].again()
	s.send()
	s.grow(100)
	s.stop()
	s.during.quiet(s)
	s.during.stop()
	down()
	if out, err := shell("sh", "-c", "cd "+k.node()+" && rm -r data && mv copy data"); err != nil {
		s.Fatalf("%v\n%s", err, out)
	}
	up()
	s.strike()
	for i, m := range all[1:] {
		all[i+1] = s.launch(nil, m.listen, m.admin, m.args...)
	}
	p.sees("the log or /readyz", func() string { return logs(all[1:]...)() + unready(all[1:]...)() }, "kafka went back behind the marks in redis", "kycbridge marks discard")
	for _, m := range all[1:] {
		if last, code := m.ends(); code == 0 {
			s.Errorf("it ended with code 0 and %q, want an error", last)
		}
	}
	p.follow(0)
	all[1], all[2] = all[1].again(), all[2].again()
	s.during = read(s, s.kafka, s.prefix)
	s.resend(s.load.next)
	s.recover()
	s.during.quiet(s)
	s.verdict()
}

// brokerDiskFull fills a disk of Kafka's own: it ends by itself, ingest answers 503, and with room all goes on.
func brokerDiskFull(s *scene) {
	disk := s.TempDir()
	if out, err := shell("mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk); err != nil {
		s.Skipf("needs the right to mount a small disk: %v %s", err, out)
	}
	s.Cleanup(func() { _, _ = shell("umount", "-l", disk) })
	k := startKafka(s, disk)
	k.use(s)
	in, first, second := s.calm()
	p := s.runbook("The disk of a broker is full")
	filler := disk + "/filler"
	_, _ = shell("dd", "if=/dev/zero", "of="+filler, "bs=1M", "count=512") // until there is no room
	s.await("the broker ends", func() bool { return s.ended(k.node() + "/pid") })
	broker, err := os.ReadFile(k.node() + "/server.log")
	if err != nil {
		s.Fatal(err)
	}
	p.sees("Kafka's log", func() string { return string(broker) }, "No space left on device")
	p.sees("/readyz", func() string { return answers(in)() + unready(first, second)() }, "kafka is unavailable")
	s.await("ingest answers 503", func() bool {
		d := s.load.make(0)
		status, _ := post(newClient(), s.hooks.any(), d.body, sign(d.body, secret))
		return status == http.StatusServiceUnavailable
	})
	if err := os.Remove(filler); err != nil {
		s.Fatal(err)
	}
	k.start()
	s.strike()
	if !eventually(incidentPatience, s.recovered) {
		s.endHung()
	}
	s.recover()
	s.resend(100)
	s.verdict()
}

// endHung ends the transactions that were open when the broker ended and that nobody knows any more, as the section
// about readers that stand still says.
func (s *scene) endHung() {
	s.Helper()
	ctx, p := context.Background(), s.runbook("Consumers stand still, though nothing is down")
	ends, err1 := s.admin.ListEndOffsets(ctx, topics(s.prefix)...)
	stable, err2 := s.admin.ListCommittedOffsets(ctx, topics(s.prefix)...)
	if err := errors.Join(err1, err2); err != nil {
		s.Fatal(err)
	}
	ends.Each(func(end kadm.ListedOffset) {
		if last, _ := stable.Lookup(end.Topic, end.Partition); last.Offset == end.Offset {
			return
		}
		where := []string{"TOPIC=" + end.Topic, "PARTITION=" + strconv.Itoa(int(end.Partition))}
		if began := columns(p.follow(2, where...), "\t"); began != "" {
			p.follow(3, append(where, "START="+began)...)
		}
	})
}

// ended reports whether the process of a pid file is gone.
func (s *scene) ended(file string) bool {
	s.Helper()
	pid, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", strings.TrimSpace(string(pid))))
	return err != nil || strings.Contains(string(stat), ") Z ")
}
