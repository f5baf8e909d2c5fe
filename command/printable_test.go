package command

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// hostile is text that a terminal would obey, or that it would not show as it is read:
// a C1 control sequence, a turned direction, a zero width, a tag, a filler, a line that
// others take for the end of one, and an escape sequence.
const hostile = "\u009b2J\u202etxt\u2066\u200b\ufeff\U000e0041\u3164\ufe0f\u2028\u0085\u061c\u00ad\u00a0"

// leaks are the characters in an output that do not print; layout does.
func leaks(text string) (found []string) {
	for _, r := range text {
		if !prints(r) && !isLayout(r) || r == utf8.RuneError {
			found = append(found, fmt.Sprintf("%U", r))
		}
	}
	return found
}

func TestPrintable(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"layout and letters stay":  {"a\tb\nZürich 東京 × … é\n", "a\tb\nZürich 東京 × … é\n"},
		"escape sequences":         {"\x1b[2J\x00\a\b\r\x7f", `\u001b[2J\u0000\u0007\u0008\u000d\u007f`},
		"C1 controls":              {"\u009b2J\u0085", `\u009b2J\u0085`},
		"C1 controls as bytes":     {"\x9b2J", `\x9b2J`},
		"directions":               {"\u202e\u2066\u200f\u061c", `\u202e\u2066\u200f\u061c`},
		"zero widths":              {"a\u200bb\u200d\u2060\ufeff", `a\u200bb\u200d\u2060\ufeff`},
		"fillers and selectors":    {"\u3164\u115f\u034f\ufe0f\U000e0100", `\u3164\u115f\u034f\ufe0f\udb40\udd00`},
		"tags beyond U+FFFF":       {"\U000e0041", `\udb40\udc41`},
		"blanks that are no space": {"a\u00a0b\u3000c", `a\u00a0b\u3000c`},
		"line separators":          {"a\u2028b\u2029", `a\u2028b\u2029`},
		"private and unassigned":   {"\ue000\u0378", `\ue000\u0378`},
		"not UTF-8":                {"a\xffb\xed\xa0\x80\xc3(", `a\xffb\xed\xa0\x80\xc3(`},
		"cut off at the end":       {"ab\xe2\x82", `ab\xe2\x82`},
		"the replacement itself":   {"a\ufffdb", "a\ufffdb"},
	} {
		t.Run(name, func(t *testing.T) {
			for size := 1; size <= len(tc.text); size++ { // however it is cut into writes
				var out strings.Builder
				w := newPrintable(&out)
				for rest := tc.text; rest != ""; {
					part := rest[:min(size, len(rest))]
					if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
						t.Fatalf("Write is %d and %v, want %d", n, err, len(part))
					}
					rest = rest[len(part):]
				}
				w.end()
				if out.String() != tc.want {
					t.Errorf("written %d bytes at a time: %q, want %q", size, out.String(), tc.want)
				}
			}
		})
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestPrintableReportsErrors(t *testing.T) {
	if n, err := newPrintable(brokenPipe{}).Write([]byte("x")); n != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write is %d and %v, want 0 and the output's error", n, err)
	}
}

// FuzzPrintable: whatever is written, nothing that does not print comes out, the same
// however it is cut, and JSON means what it meant.
func FuzzPrintable(f *testing.F) {
	f.Add([]byte(hostile+"\x1b[2J\n"), uint16(3))
	f.Add([]byte("\xe2\x82"), uint16(1))
	f.Add([]byte("plain"), uint16(0))
	f.Fuzz(func(t *testing.T, text []byte, at uint16) {
		var whole, cutted bytes.Buffer
		w := newPrintable(&whole)
		_, _ = w.Write(text)
		w.end()
		if found := leaks(strings.ReplaceAll(whole.String(), "\ufffd", "")); found != nil || !utf8.Valid(whole.Bytes()) {
			t.Errorf("%q comes out with %v in it", text, found)
		}
		middle := min(int(at), len(text))
		w = newPrintable(&cutted)
		_, _ = w.Write(text[:middle])
		_, _ = w.Write(text[middle:])
		w.end()
		if !bytes.Equal(whole.Bytes(), cutted.Bytes()) {
			t.Errorf("cut at %d: %q, in one: %q", middle, &cutted, &whole)
		}
		if strings.Contains(escapeLine(string(text)), "\n") {
			t.Errorf("a line of %q has a line break", text)
		}
		var line bytes.Buffer
		if err := writeLine(newPrintable(&line), string(text)); err != nil {
			t.Fatal(err)
		}
		var back string
		if err := json.Unmarshal(line.Bytes(), &back); err != nil || back != strings.ToValidUTF8(string(text), "\ufffd") && utf8.Valid(text) {
			t.Errorf("%q reads back as %q, %v", text, back, err)
		}
	})
}

// TestNothingHostileReachesTheTerminal sends a delivery full of what a terminal obeys, and
// asks every command that shows deliveries.
func TestNothingHostileReachesTheTerminal(t *testing.T) {
	dev := startDev(t, t.TempDir(), nil, "--log-level", "debug")
	body := `{"event":"Made up ` + hostile + `","body":{"journeyId":"672000000000000000000049","referenceNo":"` + hostile + `"}}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+dev.Hooks+"/hooks/idwise", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth("dev", "dev-secret-idwise")
	r.Header.Set("Content-Type", "application/json; x="+hostile)
	r.Header.Set("User-Agent", "sender "+hostile)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("the delivery is answered %s", answer.Status)
	}
	tailLines(t, dev, 1, "disposition")
	// What is refused makes log lines, too: a name nobody configured, a proof, a header.
	for _, path := range []string{"/hooks/" + url.PathEscape(hostile), "/hooks/idwise", "/" + url.PathEscape(hostile)} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+dev.Hooks+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.SetBasicAuth(hostile, hostile)
		r.Header.Set("Content-Type", hostile)
		r.Header.Set("Content-Encoding", hostile)
		r.Header.Set("X-Forwarded-For", hostile)
		refused, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		refused.Body.Close()
		if refused.StatusCode < 400 {
			t.Errorf("%q is answered %s", path, refused.Status)
		}
	}
	escapes := 0
	for _, args := range [][]string{
		{"tail", "raw", "deadletter", "disposition", "--until-end"},
		{"deadletter", "list"},
		{"deadletter", "list", "--json"},
		{"deadletter", "list", hostile},
		{"deadletter", "show", "idwise" + hostile},
		{"deadletter", "show", hostile + "@1"},
		{"trace", hostile},
		{"trace", hostile, "--json"},
		{"drift"},
		{"drift", "--json"},
		{"verify"},
		{"tail", hostile},
	} {
		out, errs, _ := call(t, nil, append(args, "--brokers", dev.Kafka)...)
		if found := leaks(out + errs); found != nil {
			t.Errorf("%.40q prints %v:\n%q", args, found, out+errs)
		}
		escapes += strings.Count(out, `\u009b`)
	}
	if escapes == 0 {
		t.Error("no command shows the delivery, so the test cannot fail")
	}
	if found := leaks(dev.stdout.String() + dev.stderr.String()); found != nil {
		t.Errorf("dev prints %v", found)
	}
	if _, errs, _ := call(t, nil, "config", "check", hostile); leaks(errs) != nil {
		t.Errorf("the error of a file prints %v", leaks(errs))
	}
}

// TestBytesForPrograms: what another program reads comes out byte for byte, unless a
// terminal shows it.
func TestBytesForPrograms(t *testing.T) {
	for _, terminal := range []bool{false, true} {
		env, out, _ := surroundings(nil)
		env.shown = terminal
		safe, end := env.escape()
		if err := writeBody(&safe, "-", []byte("a\x9b\xff")); err != nil {
			t.Fatal(err)
		}
		end()
		if want := map[bool]string{false: "a\x9b\xff", true: `a\x9b\xff`}[terminal]; out.String() != want {
			t.Errorf("on a terminal %v the body is %q, want %q", terminal, out, want)
		}
	}
	shell, _, code := call(t, nil, "completion", "zsh")
	if code != 0 || strings.Contains(shell, `\u00`) {
		t.Errorf("the completion script has escapes in it: code %d", code)
	}
}

// TestLogLinesAreOneBoundedLine: what a stranger sent makes one line, escaped, of bounded length.
func TestLogLinesAreOneBoundedLine(t *testing.T) {
	text := "first\nsecond\r\x1b[2J" + hostile + "\xff" + strings.Repeat("é", 1<<20)
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			env, _, errs := surroundings(nil)
			safe, end := env.escape()
			log, err := (&logFlags{"info", format}).logger(&safe)
			if err != nil {
				t.Fatal(err)
			}
			log.With("with", text).WithGroup("g").Info(text, "value", text, "error", errors.New(text), "bytes", []byte(text), "list", []string{text})
			end()
			got := errs.String()
			if strings.Count(got, "\n") != 1 || !strings.HasSuffix(got, "\n") || len(got) > 40*longestLogged {
				t.Errorf("%d lines, %d bytes: %.200q", strings.Count(got, "\n"), len(got), got)
			}
			if found := leaks(strings.ReplaceAll(got, "\ufffd", "")); found != nil {
				t.Errorf("the line holds %v", found)
			}
			if format == "json" && !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %.200q", got)
			}
		})
	}
}

// TestOutputsHaveOneWriter: only the environment and what runs before it know the
// process's outputs, so that nothing goes past the writer that escapes.
func TestOutputsHaveOneWriter(t *testing.T) {
	allowed := map[string]bool{
		"environment.go": true, // hands them to the writer
		"main.go":        true, // the lines of a signal, which are constant
		"profile_on.go":  true, // only in a build for profiling
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || allowed[file] {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"os.Stdout", "os.Stderr", "fmt.Print(", "fmt.Printf(", "fmt.Println(", "println("} {
			if bytes.Contains(source, []byte(name)) && !(name == "println(" && !bytes.Contains(source, []byte("\tprintln("))) {
				t.Errorf("%s writes to %s; write to the environment's stdout or stderr", file, name)
			}
		}
	}
}
