package embedded

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, expected one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error is %q, expected %q in it", err, part)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("error %q has more than one line", err)
	}
}

func TestStartRefuses(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	foreign := t.TempDir()
	write(t, filepath.Join(foreign, "diary.txt"), "dear diary")
	marked := t.TempDir()
	write(t, filepath.Join(marked, markerName), `{"program":"somebody","format":1}`)
	newer := t.TempDir()
	write(t, filepath.Join(newer, markerName), `{"program":"kycbridge dev","format":9}`)
	plain := filepath.Join(t.TempDir(), "file")
	write(t, plain, "")

	for _, tc := range []struct {
		name, dir, addr string
		want            []string
	}{
		{"no directory", "", "127.0.0.1:0", []string{"--data DIR"}},
		{"a file", plain, "127.0.0.1:0", []string{plain, "--data DIR"}},
		{"foreign directory", foreign, "127.0.0.1:0", []string{foreign, "diary.txt", "--data DIR"}},
		{"foreign marker", marked, "127.0.0.1:0", []string{marked, "not ours", "--data DIR"}},
		{"newer format", newer, "127.0.0.1:0", []string{newer, "format 9", "format 1"}},
		{"port taken", t.TempDir(), busy.Addr().String(), []string{busy.Addr().String(), "in use", "pass --kafka HOST:PORT"}},
		{"no port", t.TempDir(), "127.0.0.1", []string{"--kafka 127.0.0.1", "expected HOST:PORT"}},
		{"address nobody can dial", t.TempDir(), "0.0.0.0:0", []string{"--kafka 0.0.0.0:0", "must be able to dial it"}},
		{"no host", t.TempDir(), ":0", []string{"--kafka :0", "must be able to dial it"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Start(context.Background(), testOptions(tc.dir, tc.addr))
			wantError(t, err, tc.want...)
		})
	}
	if entries, _ := os.ReadDir(foreign); len(entries) != 1 {
		t.Errorf("the foreign directory has %d files now, expected it untouched", len(entries))
	}
}

func TestDirectoryBelongsToOneLife(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	_, err := Start(context.Background(), testOptions(dir, "127.0.0.1:0"))
	wantError(t, err, fmt.Sprintf("data directory %s is in use by another kycbridge dev (pid %d)", dir, os.Getpid()), "--data DIR")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := start(t, dir)
	if s.LifeID() == again.LifeID() || len(again.LifeID()) != 16 {
		t.Errorf("life ids are %q and %q, expected two of 16 digits", s.LifeID(), again.LifeID())
	}
}

func TestTopicsStayAsMade(t *testing.T) {
	dir := t.TempDir()
	if err := start(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	o := testOptions(dir, "127.0.0.1:0")
	o.Topics[0].Partitions = 2
	_, err := Start(context.Background(), o)
	wantError(t, err, "topic in", "has 1 partitions, expected 2", "--data DIR")
	o = testOptions(dir, "127.0.0.1:0")
	o.MaxMessageBytes = 8 << 20
	_, err = Start(context.Background(), o)
	wantError(t, err, "topic in", "max.message.bytes", "8388608", "--data DIR")
}

// TestAcknowledgedRecordsSurvive a kill, which a copy of the files stands for,
// and a restart; records of the largest size too.
func TestAcknowledgedRecordsSurvive(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	client := newClient(t, s.Brokers()[0], kgo.ProducerBatchMaxBytes(DefaultMaxMessageBytes), kgo.ProducerBatchCompression(kgo.NoCompression()))
	want := []string{"first", strings.Repeat("x", DefaultMaxMessageBytes-1000), "last"}
	for _, v := range want {
		if err := client.ProduceSync(testContext(t), &kgo.Record{Topic: "in", Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	killed := start(t, image(t, dir))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]*Services{"killed": killed, "closed": start(t, dir)} {
		if got := values(readAll(t, newClient(t, s.Brokers()[0]), "in")); !slices.Equal(got, want) {
			t.Errorf("%s: %d records are there, expected the %d written", name, len(got), len(want))
		}
	}
}

// TestTopicsTellTheirLimit: what a client reads from the topic's configuration
// is what the broker enforces.
func TestTopicsTellTheirLimit(t *testing.T) {
	client := newClient(t, start(t, t.TempDir()).Brokers()[0])
	req := kmsg.NewPtrDescribeConfigsRequest()
	res := kmsg.NewDescribeConfigsRequestResource()
	res.ResourceType, res.ResourceName, res.ConfigNames = kmsg.ConfigResourceTypeTopic, "in", []string{"max.message.bytes"}
	req.Resources = append(req.Resources, res)
	resp, err := req.RequestWith(testContext(t), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range resp.Resources[0].Configs {
		if c.Name == "max.message.bytes" && c.Value != nil && *c.Value == strconv.Itoa(DefaultMaxMessageBytes) {
			return
		}
	}
	t.Errorf("configuration is %+v, expected max.message.bytes %d", resp.Resources[0].Configs, DefaultMaxMessageBytes)
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
