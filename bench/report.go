package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
	"time"

	"github.com/kycbridge/kycbridge/bench/gauge"
)

// row is one figure: the product's, and where there is one the floor's of the same rounds.
type row struct {
	Scenario string   `json:"scenario"`
	Name     string   `json:"name"`
	Unit     string   `json:"unit"`
	Product  float64  `json:"product"`
	Floor    *float64 `json:"floor,omitempty"`
	// Ratio is the median of the rounds' own ratios, product to floor.
	Ratio *float64 `json:"ratio,omitempty"`
	// Rounds holds what each round measured, in order.
	Rounds []round `json:"rounds,omitempty"`
	Goal   string  `json:"goal,omitempty"`
	Met    *bool   `json:"met,omitempty"`
}

// round is one measurement of the product and, at about the same time, of the floor.
type round struct {
	Product float64  `json:"product"`
	Floor   *float64 `json:"floor,omitempty"`
}

// goal is what a figure should come to. All limits that are set must hold.
type goal struct {
	ratioAtMost, ratioAtLeast float64
	atMost, atLeast           float64
	below                     float64
}

func (g goal) text(unit string) string {
	var text string
	add := func(limit float64, format string, args ...any) {
		if limit == 0 {
			return
		}
		if text != "" {
			text += ", "
		}
		text += fmt.Sprintf(format, args...)
	}
	add(g.ratioAtMost, "≤ %g × floor", g.ratioAtMost)
	add(g.ratioAtLeast, "≥ %g × floor", g.ratioAtLeast)
	add(g.atMost, "≤ %g %s", g.atMost, unit)
	add(g.atLeast, "≥ %g %s", g.atLeast, unit)
	add(g.below, "< %g %s", g.below, unit)
	return text
}

func (g goal) met(r row) bool {
	within := func(v *float64, most, least float64) bool {
		return (most == 0 || v != nil && *v <= most) && (least == 0 || v != nil && *v >= least)
	}
	return within(r.Ratio, g.ratioAtMost, g.ratioAtLeast) && within(&r.Product, g.atMost, g.atLeast) && (g.below == 0 || r.Product < g.below)
}

// report collects rows in the order they are measured.
type report struct {
	rows     []row
	besieged besieged // attacks have a table of their own
}

// compare adds a figure from rounds in which product and floor took turns.
func (r *report) compare(scenario, name, unit string, product, floor []float64, g goal) {
	measured := row{Scenario: scenario, Name: name, Unit: unit, Product: gauge.Median(product)}
	if floor != nil {
		ratios := make([]float64, len(product))
		for i := range product {
			ratios[i] = product[i] / floor[i]
		}
		measured.Floor, measured.Ratio = new(gauge.Median(floor)), new(gauge.Median(ratios))
	}
	for i := range product {
		one := round{Product: product[i]}
		if floor != nil {
			one.Floor = &floor[i]
		}
		measured.Rounds = append(measured.Rounds, one)
	}
	if measured.Goal = g.text(unit); measured.Goal != "" {
		measured.Met = new(g.met(measured))
	}
	r.rows = append(r.rows, measured)
}

// note adds a figure of the product alone.
func (r *report) note(scenario, name, unit string, value float64, g goal) {
	r.compare(scenario, name, unit, []float64{value}, nil, g)
}

// column is one measure of every round.
func column[T any](all []T, of func(T) float64) []float64 {
	values := make([]float64, len(all))
	for i, one := range all {
		values[i] = of(one)
	}
	return values
}

// perEvent is processor time in microseconds for each of n events or requests.
func perEvent(cpu time.Duration, n int) float64 { return float64(cpu.Nanoseconds()) / 1e3 / float64(n) }

// table writes the rows for people.
func (r *report) table(out io.Writer) error {
	if len(r.besieged.all) > 0 {
		if _, err := io.WriteString(out, r.besieged.markdown()); err != nil {
			return err
		}
	}
	if len(r.rows) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tfigure\tproduct\tfloor\tratio\tgoal\t")
	for _, line := range r.rows {
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\t%s\n", line.Scenario, line.Name, number(&line.Product), line.Unit,
			number(line.Floor), number(line.Ratio), line.Goal, verdict(line.Met))
	}
	return t.Flush()
}

func number(v *float64) string {
	switch {
	case v == nil:
		return ""
	case *v >= 1000:
		return fmt.Sprintf("%.0f", *v)
	case *v >= 100:
		return fmt.Sprintf("%.1f", *v)
	}
	return fmt.Sprintf("%.2f", *v)
}

func verdict(met *bool) string {
	switch {
	case met == nil:
		return ""
	case *met:
		return "met"
	}
	return "NOT MET"
}

// document is what --json prints: figures mean something only beside the machine they come from.
type document struct {
	At       time.Time `json:"at"`
	Go       string    `json:"go"`
	Platform string    `json:"platform"`
	Cores    int       `json:"cores"`
	Services string    `json:"services"` // "real" or "embedded"
	Rows     []row     `json:"rows"`
}

func (r *report) json(out io.Writer, real bool) error {
	r.besieged.note(r)
	d := document{At: time.Now().UTC(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, Cores: runtime.NumCPU(), Services: "embedded", Rows: r.rows}
	if real {
		d.Services = "real"
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(d)
}
