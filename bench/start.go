package main

import (
	"context"
	"fmt"
	"os"
)

// starts takes the time of each stage from its start to its being ready, on topics that are there,
// and the size of the program.
func starts(ctx context.Context, w *world, s size, r *report) error {
	d := w.deploy()
	if err := d.createTopics(ctx); err != nil {
		return err
	}
	for _, stage := range [][]string{{"ingest"}, {"normalize", "--instance", "0"}} {
		var took []float64
		for n := range s.rounds {
			w.say("start: %s, round %d of %d", stage[0], n+1, s.rounds)
			p, err := d.run(ctx, stage...)
			if err != nil {
				return err
			}
			took = append(took, p.took.Seconds())
			if err := p.Stop(); err != nil {
				return err
			}
		}
		r.compare("start", stage[0]+" is ready", "s", took, nil, goal{below: 1})
	}
	if w.profiles != "" {
		return nil // another program than the one that is shipped
	}
	program, err := os.Stat(w.product)
	if err != nil {
		return fmt.Errorf("size of the program: %w", err)
	}
	r.note("start", "size of the program", "MB", float64(program.Size())/1e6, goal{below: 40})
	return nil
}
