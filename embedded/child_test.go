package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The tests that kill run this test binary once more as the process to be
// killed. The variable says which part it plays, its arguments are in others.
const (
	childRole = "KYCBRIDGE_EMBEDDED_CHILD"
	childDir  = "KYCBRIDGE_EMBEDDED_DIR"
	childAddr = "KYCBRIDGE_EMBEDDED_ADDR"
	childLife = "KYCBRIDGE_EMBEDDED_LIFE"
)

func TestMain(m *testing.M) {
	var err error
	switch role := os.Getenv(childRole); role {
	case "":
		os.Exit(m.Run())
	case "commit on kfake":
		err = dieInCommit(startPlain)
	case "commit on services":
		err = dieInCommit(startServices)
	case "load":
		err = runLoad(os.Getenv(childDir), os.Getenv(childAddr), os.Getenv(childLife))
	default:
		err = fmt.Errorf("unknown role %q", role)
	}
	fmt.Fprintln(os.Stderr, "child:", err)
	os.Exit(3)
}

// child is a process of this binary that plays a role.
type child struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner // its standard output
}

func startChild(t testing.TB, role string, env ...string) *child {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), childRole+"="+role), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	return &child{cmd: cmd, lines: bufio.NewScanner(out)}
}

// wait waits for the end by SIGKILL, its own or ours; any other end is a failure.
func (c *child) wait(t testing.TB) {
	t.Helper()
	err := c.cmd.Wait()
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the child ended with %v, expected to be killed", err)
	}
}

// commitWidth is over how many partitions dieInCommit commits.
const commitWidth = 30

// dieInCommit commits a transaction over many partitions and kills its own
// process when the first marker is on disk.
func dieInCommit(start func(dir string) (string, error)) error {
	ctx := context.Background()
	dir := os.Getenv(childDir)
	addr, err := start(dir)
	if err != nil {
		return err
	}
	if err := produceOnce(ctx, addr, &kgo.Record{Topic: "in", Value: []byte("input")}); err != nil {
		return err
	}
	session, err := kgo.NewGroupTransactSession(
		kgo.SeedBrokers(addr), kgo.TransactionalID("first"), kgo.ConsumerGroup("readers"), kgo.ConsumeTopics("in"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		return err
	}
	client := session.Client()
	if got := session.PollRecords(ctx, 1); len(got.Records()) != 1 {
		return fmt.Errorf("polled %d records: %v", len(got.Records()), got.Err())
	}
	if err := session.Begin(); err != nil {
		return err
	}
	var records []*kgo.Record
	for p := range int32(commitWidth) {
		records = append(records, &kgo.Record{Topic: "wide", Partition: p, Value: []byte("event")})
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", "partitions", "wide-*", "*.dat"))
	if err != nil {
		return err
	}
	go dieWhenOneGrows(paths, sizes(paths))
	if _, err := session.End(ctx, kgo.TryCommit); err != nil {
		return err
	}
	time.Sleep(patience) // on a busy machine the end of the commit may come first
	return errors.New("survived the commit")
}

func produceOnce(ctx context.Context, addr string, records ...*kgo.Record) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.ProduceSync(ctx, records...).FirstErr()
}

func dieWhenOneGrows(paths []string, before []int64) {
	for {
		for i, size := range sizes(paths) {
			if size != before[i] {
				syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
		}
	}
}

func sizes(paths []string) []int64 {
	var all []int64
	for _, p := range paths {
		if info, err := os.Stat(p); err == nil {
			all = append(all, info.Size())
		}
	}
	return all
}

func startServices(dir string) (string, error) {
	s, err := Start(context.Background(), testOptions(dir, "127.0.0.1:0"))
	if err != nil {
		return "", err
	}
	return s.Brokers()[0], nil
}

func testOptions(dir, addr string) Options {
	return Options{
		DataDir: dir, KafkaAddr: addr,
		Topics: []Topic{{"in", 1}, {"wide", commitWidth}},
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
}

// patience bounds every wait of these tests; none of them waits that long unless
// something hangs.
const patience = time.Minute

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}
