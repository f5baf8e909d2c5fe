package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// networkFaults lose packets between the processes and one broker, in the kernel: no proxy
// stands between them, so TCP repeats, waits and gives up as it does on a bad network.
func networkFaults() []fault {
	return []fault{
		{name: "packet-loss", does: "every tenth packet to and from a broker is lost", only: true, run: packetLoss},
		{name: "one-way-there", does: "what is sent to a broker is lost, what it sends arrives", only: true, run: oneWay("dport")},
		{name: "one-way-back", does: "what a broker sends is lost, what is sent to it arrives", only: true, run: oneWay("sport")},
	}
}

func packetLoss(s *scene) {
	s.ordinary()
	heal := s.drop("tcp dport PORT numgen random mod 100 < 10", "tcp sport PORT numgen random mod 100 < 10")
	s.grow(300)
	pause(context.Background(), durationFrom(s, "KYCBRIDGE_TEST_OUTAGE", 15*time.Second))
	s.grow(50)
	heal()
	s.strike()
	s.recover()
	s.settle()
}

// oneWay cuts one direction for longer than the session and the transaction may last. With one
// broker that is an outage of everything; with three, the two others go on.
func oneWay(port string) func(s *scene) {
	return func(s *scene) {
		s.ordinary()
		heal := s.drop("tcp " + port + " PORT")
		if strings.Contains(s.kafka, ",") {
			pause(context.Background(), durationFrom(s, "KYCBRIDGE_TEST_OUTAGE", 20*time.Second))
		} else {
			s.expectRefusals(durationFrom(s, "KYCBRIDGE_TEST_OUTAGE", 20*time.Second))
		}
		heal()
		s.strike()
		s.recover()
		s.grow(50)
		s.settle()
	}
}

// drop loses the packets that match a rule, PORT being that of the first broker. The rules
// are in a table that belongs to a process of nft: however this test ends, the process reads the
// end of its input, and its table goes with it. They are rules for packets that come in: one lost
// on its way out would be known to its sender.
func (s *scene) drop(rules ...string) (heal func()) {
	s.Helper()
	if _, err := exec.LookPath("nft"); err != nil || os.Geteuid() != 0 {
		s.Skip("needs rules for packets: run as root, with nft (Debian: apt-get install nftables)")
	}
	first, _, _ := strings.Cut(s.kafka, ",")
	_, port, err := net.SplitHostPort(first)
	if err != nil {
		s.Fatal(err)
	}
	table := fmt.Sprintf("kycbridge_%d", os.Getpid())
	script := fmt.Sprintf("add table inet %[1]s { flags owner; }\nadd chain inet %[1]s in { type filter hook input priority 0; }\n", table)
	for _, rule := range rules {
		script += fmt.Sprintf("add rule inet %s in %s counter drop\n", table, strings.ReplaceAll(rule, "PORT", port))
	}
	nft := exec.Command("nft", "-i")
	var told bytes.Buffer
	nft.Stdout, nft.Stderr = &told, &told
	input, err := nft.StdinPipe()
	if err == nil {
		err = nft.Start()
	}
	if err == nil {
		_, err = io.WriteString(input, script)
	}
	if err != nil {
		s.Fatal(err)
	}
	heal = func() {
		if nft.ProcessState != nil {
			return
		}
		rules, _ := exec.Command("nft", "list", "table", "inet", table).CombinedOutput()
		s.Logf("packets lost:\n%s", rules)
		_ = input.Close()
		_ = nft.Wait()
	}
	s.Cleanup(heal)
	if !eventually(10*time.Second, func() bool {
		out, err := exec.Command("nft", "list", "table", "inet", table).CombinedOutput()
		return err == nil && bytes.Count(out, []byte(" drop\n")) == len(rules)
	}) {
		heal() // before what it told is read
		s.Fatalf("nft does not take the rules:\n%s%s", script, told.String())
	}
	return heal
}
