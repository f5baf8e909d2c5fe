package command

import (
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/kycbridge/kycbridge/internal/operate/operatetest"
)

func TestTopicBases(t *testing.T) {
	for _, tc := range []struct {
		names []string
		want  string
	}{
		{nil, "session.v1 check.v1 aml.v1 renewal.v1 resource.v1"},
		{[]string{"raw"}, "raw.v1"},
		{[]string{"raw.v1", "x.check.v1"}, "raw.v1 check.v1"},
		{[]string{"session.json", "aml.v1.json", "x.check.v1.json"}, "session.v1.json aml.v1.json check.v1.json"},
		{[]string{"hydrate", "hydrate.wait"}, "hydrate.v1 hydrate.wait.v1"},
	} {
		got, err := topicBases(tc.names, "x.")
		if err != nil || strings.Join(got, " ") != tc.want {
			t.Errorf("topicBases(%q) is %q and %v, want %q", tc.names, got, err, tc.want)
		}
	}
	if _, err := topicBases([]string{"kyc.check.v1"}, "x."); err == nil {
		t.Error("a full name under another prefix is accepted")
	}
}

// TestTailGroup: every line once, over runs that end in different ways, and --full has what is not set.
func TestTailGroup(t *testing.T) {
	t.Parallel()
	p := operatetest.Start(t)
	for n := range 5 {
		p.Write(operatetest.Checked(n))
	}
	args := []string{"tail", "check", "--brokers", p.Addr(), "--group", "export"}
	first, errs, code := call(t, nil, append(args, "--count", "1")...)
	if code != 0 || errs != "" || strings.Count(first, "\n") != 1 || strings.Contains(first, "UNSPECIFIED") {
		t.Fatalf("code %d\n%s%s", code, first, errs)
	}
	env, _, told := surroundings(nil)
	env.stdout = &closing{lines: 2}
	if code := run(t.Context(), args, env); code != 0 || told.String() != "" {
		t.Errorf("when nobody reads on: code %d\n%s", code, told)
	}
	env.stdout = &closing{fails: syscall.ENOSPC}
	if code := run(t.Context(), args, env); code != exitFailed || !strings.Contains(told.String(), "no space left") {
		t.Errorf("when the disk is full: code %d\n%s", code, told)
	}
	rest, errs, code := call(t, nil, append(args, "--until-end", "--full")...)
	if code != 0 || errs != "" || strings.Count(rest, "\n") != 2 || strings.Count(rest, `"decidedBy":"DECIDED_BY_UNSPECIFIED"`) != 2 {
		t.Errorf("the last run: code %d\n%s%s", code, rest, errs)
	}
	for n, text := range []string{first, "", "", rest, rest} {
		if text != "" && !strings.Contains(text, fmt.Sprintf(`"offset":%d,`, n)) {
			t.Errorf("record %d is not in\n%s", n, text)
		}
	}
}

// closing is an output whose reader goes away after some lines.
type closing struct {
	lines int
	fails error // nil: as a pipe without a reader
}

func (c *closing) Write(p []byte) (int, error) {
	if c.lines--; c.lines >= 0 {
		return io.Discard.Write(p)
	}
	if c.fails == nil {
		c.fails = syscall.EPIPE
	}
	return 0, &os.PathError{Op: "write", Path: "stdout", Err: c.fails}
}

func TestTailGroupUsage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ args, want string }{
		{"--group=", "empty"},
		{"--group kycbridge-normalize", "kycbridge-normalize is the consumer group of a stage"},
		{"--group kycbridge-hydrate --topic-prefix acme.", "acme.kycbridge-hydrate is the consumer group of a stage"},
		{"--group export --from-start", "--from-start and --group"},
		{"--group export nothing", `unknown topic "nothing"`},
	} {
		if _, errs, code := call(t, nil, append([]string{"tail"}, strings.Fields(tc.args)...)...); code != exitUsage || !strings.Contains(errs, tc.want) {
			t.Errorf("tail %s: code %d, %s", tc.args, code, errs)
		}
	}
}
