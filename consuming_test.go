package kycbridge_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/kycbridge/kycbridge/providers"
	"github.com/kycbridge/kycbridge/schemas"
	kycv1 "github.com/kycbridge/kycbridge/schemas/kyc/v1"
)

const consumingPage = "docs/consuming.md"

// TestConsumingPage holds what docs/consuming.md has consumers copy, and its table of topics, against the code.
func TestConsumingPage(t *testing.T) {
	page := readFile(t, consumingPage)
	for _, problem := range consumingProblems(page) {
		t.Error(problem)
	}
}

// TestConsumingPageCheckCanFail spoils the page in each way that the check is for.
func TestConsumingPageCheckCanFail(t *testing.T) {
	page := readFile(t, consumingPage)
	for spoiled, by := range map[string]string{
		"sha256sum | ":                     "sha1sum | ",
		"sha256.Sum256(":                   "sha256.Sum224(",
		"| `kyc.renewal.v1` |":             "| `kyc.renewals.v1` |",
		"[AmlEvent](events.md#amlevent)":   "[CheckEvent](events.md#checkevent)",
		"`DECISION_INCOMPLETE`":            "`DECISION_UNFINISHED`",
		"| `HYDRATION_GAVE_UP` |":          "| gave up |",
		"`FINALITY_PRELIMINARY` | wait":    "`FINALITY_PROVISIONAL` | wait",
		"| `dedupe: unverified` |":         "| `dedupe: other` |",
		"Environment_ENVIRONMENT_LIVE":     "Environment_ENVIRONMENT_SANDBOX",
		"Finality_FINALITY_PRELIMINARY &&": "Finality_FINALITY_UNSPECIFIED &&",
	} {
		if !strings.Contains(page, spoiled) {
			t.Errorf("the page has no %q to spoil", spoiled)
		}
		if len(consumingProblems(strings.ReplaceAll(page, spoiled, by))) == 0 {
			t.Errorf("%q in place of %q goes unnoticed", by, spoiled)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var enumWord = regexp.MustCompile("`((?:DECISION|FINALITY|ENVIRONMENT|HYDRATION)_[A-Z_]+)`")

func consumingProblems(page string) (problems []string) {
	out, err := exec.Command("sh", "-c", fenced(page, "sh")).CombinedOutput()
	if want := providers.Digest("anna@example.com"); err != nil || strings.TrimSpace(string(out)) != want {
		problems = append(problems, "its command line gives "+string(out)+", want "+want)
	}
	for _, want := range []string{
		`fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.TrimSpace(reference))))`, // what Digest does
		// The four guards of a verdict.
		"kycv1.Environment_ENVIRONMENT_LIVE", "kycv1.Decision_DECISION_APPROVED", "!= kycv1.Finality_FINALITY_PRELIMINARY", `GetCustomerReference() != ""`,
		"| `dedupe: conflict` |", "| `dedupe: unconfirmed` |", "| `dedupe: unverified` |", "| `stale: true` |", "| `replay: <id>` |",
	} {
		if !strings.Contains(page, want) {
			problems = append(problems, "it does not have "+want)
		}
	}
	for _, topic := range schemas.Topics() {
		name := topic.Message.ProtoReflect().Descriptor().Name()
		if topic.Domain && !regexp.MustCompile("\n\\| `"+regexp.QuoteMeta(topic.Name(schemas.DefaultPrefix))+"` \\|[^|]*\\| \\["+string(name)+"]").MatchString(page) {
			problems = append(problems, "it has no row of "+topic.Base+" with "+string(name))
		}
	}
	return append(problems, enumProblems(page)...)
}

// enumProblems looks for values of the enums that a verdict is read by: none that is not there, and each in a table.
func enumProblems(page string) (problems []string) {
	known := map[string]bool{}
	for _, values := range []map[string]int32{kycv1.Decision_value, kycv1.Finality_value, kycv1.Environment_value, kycv1.Hydration_value} {
		for name := range values {
			known[name] = true
		}
	}
	for _, match := range enumWord.FindAllStringSubmatch(page, -1) {
		if !known[match[1]] {
			problems = append(problems, "it names "+match[1]+", which is no value")
		}
	}
	for _, values := range []map[string]int32{kycv1.Decision_value, kycv1.Hydration_value} {
		for name := range values {
			if name != "HYDRATION_UNSPECIFIED" && !strings.Contains(page, "| `"+name+"`") {
				problems = append(problems, "no table has "+name)
			}
		}
	}
	return problems
}

// fenced is the first block of a language on a page.
func fenced(page, language string) string {
	_, block, _ := strings.Cut(page, "```"+language+"\n")
	block, _, _ = strings.Cut(block, "```")
	return block
}

// mayOpen stands on the page, word for word.
func mayOpen(e *kycv1.SessionEvent) bool {
	return e.GetMetadata().GetEnvironment() == kycv1.Environment_ENVIRONMENT_LIVE &&
		e.GetDecision() == kycv1.Decision_DECISION_APPROVED &&
		e.GetFinality() != kycv1.Finality_FINALITY_PRELIMINARY &&
		e.GetMetadata().GetSubject().GetCustomerReference() != ""
}

// TestConsumingVerdict: the code on the page is what is tried here, and opens on nothing but what the page says.
func TestConsumingVerdict(t *testing.T) {
	if own := fenced(readFile(t, consumingPage), "go"); !strings.Contains(readFile(t, "consuming_test.go"), own) {
		t.Errorf("the page has other code than this test:\n%s", own)
	}
	for name, tc := range map[string]struct {
		spoil func(*kycv1.SessionEvent)
		open  bool
	}{
		"approved, final, live":     {func(*kycv1.SessionEvent) {}, true},
		"finality not said":         {func(e *kycv1.SessionEvent) { e.Finality = kycv1.Finality_FINALITY_UNSPECIFIED }, true},
		"finality new to us":        {func(e *kycv1.SessionEvent) { e.Finality = 99 }, true},
		"another transition":        {func(e *kycv1.SessionEvent) { e.Transition = kycv1.SessionTransition_SESSION_TRANSITION_RESUBMITTED }, true},
		"preliminary":               {func(e *kycv1.SessionEvent) { e.Finality = kycv1.Finality_FINALITY_PRELIMINARY }, false},
		"sandbox":                   {func(e *kycv1.SessionEvent) { e.Metadata.Environment = kycv1.Environment_ENVIRONMENT_SANDBOX }, false},
		"an environment new to us":  {func(e *kycv1.SessionEvent) { e.Metadata.Environment = 99 }, false},
		"no reference":              {func(e *kycv1.SessionEvent) { e.Metadata.Subject.CustomerReference = "" }, false},
		"no subject":                {func(e *kycv1.SessionEvent) { e.Metadata.Subject = nil }, false},
		"no metadata":               {func(e *kycv1.SessionEvent) { e.Metadata = nil }, false},
		"declined":                  {func(e *kycv1.SessionEvent) { e.Decision = kycv1.Decision_DECISION_DECLINED }, false},
		"not known what":            {func(e *kycv1.SessionEvent) { e.Decision = kycv1.Decision_DECISION_UNDETERMINED }, false},
		"a decision new to us":      {func(e *kycv1.SessionEvent) { e.Decision = 99 }, false},
		"completed without verdict": {func(e *kycv1.SessionEvent) { e.Decision = kycv1.Decision_DECISION_UNSPECIFIED }, false},
	} {
		e := &kycv1.SessionEvent{
			Metadata: &kycv1.EventMetadata{
				Environment: kycv1.Environment_ENVIRONMENT_LIVE, Subject: &kycv1.Subject{CustomerReference: "customer-42"},
			},
			Transition: kycv1.SessionTransition_SESSION_TRANSITION_COMPLETED,
			Decision:   kycv1.Decision_DECISION_APPROVED, Finality: kycv1.Finality_FINALITY_FINAL,
		}
		tc.spoil(e)
		if got := mayOpen(e); got != tc.open {
			t.Errorf("%s: it may be opened: %v", name, got)
		}
	}
}
