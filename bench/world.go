package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/kycbridge/kycbridge/bench/gauge"
)

// world is what all scenarios share: the programs, built once, and where Kafka and Redis are.
type world struct {
	scratch      string // removed at the end
	product      string // path of the program that is measured
	floorIngest  string
	floorWorker  string
	kafka, redis string
	otherKafka   string // whose transactions wait as long as by default; empty: none
	real         bool   // an Apache Kafka and a Redis server, not the embedded ones
	pair         *gauge.Process
	profiles     string          // folder for profiles of the product; empty: none
	tell         io.Writer       // progress
	runs         int             // names topics apart
	prefixes     map[string]bool // of the topics of this run
}

// open builds the programs and starts an embedded pair unless both addresses are given.
func open(ctx context.Context, kafka, redis, profiles string, tell io.Writer) (w *world, err error) {
	if (kafka == "") != (redis == "") {
		return nil, errors.New("--kafka and --redis belong together: give both, or none for the embedded ones")
	}
	w = &world{kafka: kafka, redis: redis, real: kafka != "", profiles: profiles, tell: tell, prefixes: map[string]bool{}}
	if profiles != "" {
		if err := os.MkdirAll(profiles, 0o755); err != nil {
			return nil, err
		}
	}
	if w.scratch, err = os.MkdirTemp("", "kycbridge-bench-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.close())
		}
	}()
	var pair string
	for path, into := range map[string]*string{
		"./cmd/kycbridge": &w.product, "./bench/floor/ingest": &w.floorIngest,
		"./bench/floor/normalize": &w.floorWorker, "./bench/pair": &pair,
	} {
		if *into, err = w.build(ctx, path); err != nil {
			return w, err
		}
	}
	if w.real {
		return w, nil
	}
	return w, w.startPair(ctx, pair)
}

func (w *world) build(ctx context.Context, path string) (string, error) {
	w.say("building %s", path)
	out := filepath.Join(w.scratch, filepath.Base(filepath.Dir(path))+"-"+filepath.Base(path))
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, path) // as `make build`
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if w.profiles != "" {
		cmd.Args = slices.Insert(cmd.Args, 2, "-tags", "profile")
	}
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %s (run this from the repository's root): %w\n%s", path, err, said)
	}
	return out, nil
}

// startPair runs the embedded Kafka and Redis in a process of their own.
func (w *world) startPair(ctx context.Context, program string) error {
	read, write := io.Pipe()
	defer read.Close()
	var err error
	w.pair, _, err = gauge.Start(ctx, gauge.Program{Name: "the embedded Kafka and Redis", Path: program,
		Args: []string{"--data", filepath.Join(w.scratch, "pair")}, Out: write})
	if err != nil {
		return err
	}
	var at struct{ Kafka, Redis string }
	if err := json.NewDecoder(read).Decode(&at); err != nil {
		return fmt.Errorf("addresses of the embedded Kafka and Redis: %w", err)
	}
	w.kafka, w.redis = at.Kafka, at.Redis
	return nil
}

func (w *world) close() error {
	var err error
	if w.pair != nil {
		err = w.pair.Stop()
	}
	if w.real {
		err = errors.Join(w.deleteTopics(w.kafka), w.deleteTopics(w.otherKafka))
	}
	return errors.Join(err, os.RemoveAll(w.scratch))
}

// deleteLimit bounds the deletion of topics, which goes on where the run was cut off.
const deleteLimit = time.Minute

// deleteTopics takes the topics of this run off a broker that lives on: thousands of partitions slow it
// down, and end one with a small heap.
func (w *world) deleteTopics(kafka string) error {
	if kafka == "" || len(w.prefixes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), deleteLimit)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(kafka))
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	all, err := admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("topics of this run are left at %s: %w", kafka, err)
	}
	ours := slices.DeleteFunc(all.Names(), func(name string) bool {
		prefix, _, _ := strings.Cut(name, ".")
		return !w.prefixes[prefix+"."]
	})
	deleted, err := admin.DeleteTopics(ctx, ours...)
	if err := errors.Join(err, deleted.Error()); err != nil {
		return fmt.Errorf("topics of this run are left at %s: %w", kafka, err)
	}
	return nil
}

// say shows what is going on.
func (w *world) say(format string, args ...any) { fmt.Fprintf(w.tell, "bench: "+format+"\n", args...) }
