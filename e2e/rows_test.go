package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// inProcess are faults that tests beside the code make, where they can be made to
// the instruction. The suite over processes does not repeat them.
var inProcess = []struct{ fault, tests string }{
	{"`kill -9` of the whole embedded program while it writes", "TestEmbeddedSurvivesKills TestLoadSurvivesKills TestKilledCommitIsWhole"},
	{"`kill -9` of the whole program on Apache Kafka", "TestRealSurvivesKills TestRealPair"},
	{"the same instance number twice on Apache Kafka", "TestRealFence"},
	{"a crash at every step of the loop", "TestCrashAtEveryStepLosesAndDoublesNothing"},
	{"a successor frees readers at once", "TestSuccessorFreesReaders"},
	{"a replay during live traffic", "TestReplayDuringLiveTraffic TestRealOperator"},
	{"a record of a transaction fails", "TestOneFailedRecordAbortsAll TestLibraryCommitsPastAFailedRecord"},
	{"a silent broker", "TestSilentBrokerNeverBlocksAppend TestSilentBrokerEndsTheSession TestAckWithheld"},
	{"a write that succeeds and is answered with an error", "TestAppliedButTimedOutIsOneRecord TestAppendClassifiesRefusals"},
	{"a topic that takes nothing", "TestTopicThatTakesNothingHoldsTheBatchBack"},
	{"a partition deleted under a reader", "TestRecreatedInputIsAnError"},
	{"random kills, moved leaders, refused commits, and boolean SETNX", "TestChaosLosesAndDoublesNothing TestChaosWithFlushedRedis TestChaosSeesThatBooleanSetnxLoses"},
	{"every order of events, searched exhaustively", "TestModel"},
	{"a frozen, full, old, evicting Redis; a wrong password", "TestFrozenRedisIsAwayAndComesBack TestFullRedisIsAway TestEvictingRedisIsRefused TestOldRedisIsRefused TestWrongPasswordIsAwayAndTellsNothing"},
	{"a lost answer of Redis", "TestLostAnswerIsRecognisedAsOwn"},
	{"a flush during a repair", "TestFlushDuringRepairIsNoticed"},
	{"bodies at the limit, false lengths, many at once", "TestBodyLimit TestLyingContentLength TestParallelBodiesAreBounded"},
	{"panics, truncation, mismatches, broken rules", "TestPoisonIsBuriedAloneWithItsReason TestBrokenRuleStopsInsteadOfBuryingEverything TestDeadLetterNamesStageReasonAndFieldAndQuotesNothing"},
	{"other content under one id", "TestOtherContentUnderOneIdentityIsFlagged"},
	{"a record beside a poison pill", "TestRecordThatKillsProcessesIsGivenUpAlone TestRecordBesideTheKillerIsNotGivenUp"},
}

// TestFaultRows holds the list above, and the page that shows the results, against
// the tests that exist.
func TestFaultRows(t *testing.T) {
	source := testSource(t)
	for _, row := range inProcess {
		for _, name := range strings.Fields(row.tests) {
			if !bytes.Contains(source, []byte("func "+name+"(")) {
				t.Errorf("%s: the test %s is not there", row.fault, name)
			}
		}
	}
	page, err := os.ReadFile("../docs/faults.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range suite() {
		if !bytes.Contains(page, []byte("| `"+f.name+"` |")) {
			t.Errorf("docs/faults.md does not show the fault %s; KYCBRIDGE_FAULTS_TABLE=FILE make faults writes the table", f.name)
		}
	}
	for _, match := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+)` \\|").FindAllSubmatch(page, -1) {
		if !named(string(match[1])) {
			t.Errorf("docs/faults.md shows the fault %s, which is not in the suite", match[1])
		}
	}
	for _, row := range inProcess {
		if !bytes.Contains(page, []byte(row.fault)) {
			t.Errorf("docs/faults.md does not name %q among what is tested in process", row.fault)
		}
	}
}

func named(name string) bool {
	for _, f := range suite() {
		if f.name == name {
			return true
		}
	}
	return name == "soak"
}

// testSource is every test of the repository.
func testSource(t *testing.T) []byte {
	t.Helper()
	return sources(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") })
}

// sources is the text of the repository's files that are wanted.
func sources(t *testing.T, wanted func(name string) bool) []byte {
	t.Helper()
	var all bytes.Buffer
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && d.Name() != "..":
			return filepath.SkipDir
		case d.IsDir() || !wanted(d.Name()):
			return nil
		}
		text, err := os.ReadFile(path)
		all.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.Bytes()
}
