package e2e

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
)

// row is one line of the table of faults.
type row struct {
	fault, does, kafka string
	deliveries, raw    int
	lost, doubled      int
	recovery           time.Duration
	note               string
	failed             bool
}

// table collects the rows of a run.
type table struct {
	mu   sync.Mutex
	rows []row
}

// report is the table of this run; it is printed after the last test.
var report table

func (t *table) add(r row) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows = append(t.rows, r)
}

func (r row) recovered() string {
	if r.failed {
		return "**fails**"
	}
	if r.recovery == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f s", r.recovery.Seconds())
}

// described is what happens, with what the numbers need to be understood.
func (r row) described() string {
	if r.note == "" {
		return r.does
	}
	return r.does + " (" + r.note + ")"
}

// print writes the table to the terminal and, where KYCBRIDGE_FAULTS_TABLE names a
// file, as Markdown into that.
func (t *table) print() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.rows) == 0 {
		return
	}
	fmt.Printf("\n%-26s %-12s %10s %5s %8s %10s\n", "fault", "Kafka", "deliveries", "lost", "doubled", "recovery")
	for _, r := range t.rows {
		fmt.Printf("%-26s %-12s %10d %5d %8d %10s\n", r.fault, r.kafka, r.deliveries, r.lost, r.doubled, r.recovered())
	}
	if path := os.Getenv("KYCBRIDGE_FAULTS_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(t.markdown()), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
}

func (t *table) markdown() string {
	var out strings.Builder
	out.WriteString("| Fault | What happens | Kafka | Deliveries | Lost | Doubled | Time to recover |\n|---|---|---|---:|---:|---:|---:|\n")
	for _, r := range t.rows {
		fmt.Fprintf(&out, "| `%s` | %s | %s | %d | %d | %d | %s |\n", r.fault, r.described(), r.kafka, r.deliveries, r.lost, r.doubled, r.recovered())
	}
	return out.String()
}
