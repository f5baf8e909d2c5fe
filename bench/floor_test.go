package main

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/kycbridge/kycbridge/schemas"
)

// TestFloors: a ratio to a program that does less says little, so the floors must leave behind what
// the product does.
func TestFloors(t *testing.T) {
	t.Chdir("..") // the programs are built from the root
	w, err := open(t.Context(), "", "", "", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	t.Run("normalize", func(t *testing.T) { compareWorkers(t, w) })
	t.Run("ingest", func(t *testing.T) { compareReceivers(t, w) })
}

// backlogSize takes every fixture several times, in several batches: marks go out with the claims of the
// next one.
const backlogSize = 1800

func compareWorkers(t *testing.T, w *world) {
	m, err := newMix("complycube")
	if err != nil {
		t.Fatal(err)
	}
	product, floor := w.deploy(), w.deploy()
	for _, err := range []error{product.prepare(t.Context(), m, backlogSize), floor.createTopics(t.Context())} {
		if err != nil {
			t.Fatal(err)
		}
	}
	drainBoth(t, product, floor)
	for _, topic := range schemas.Topics() {
		if topic.Base == schemas.Raw {
			continue
		}
		got, want := committedOf(t, floor, topic.Base), committedOf(t, product, topic.Base)
		if filled := topic.Domain && topic.Base != schemas.Renewal || topic.Base == schemas.DispositionTopic; filled != (len(want) > 0) {
			t.Fatalf("%s has %d records of the product", topic.Base, len(want))
		}
		compareRecords(t, topic, got, want)
	}
	compareClaims(t, product, floor)
}

// drainBoth lets the floor and the product drain the raw topic of the latter.
func drainBoth(t *testing.T, product, floor *deployment) {
	t.Helper()
	p, group, err := product.startFloor(t.Context(), floor)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := product.watchDrain(t.Context(), p, group, backlogSize, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := product.drainProduct(t.Context(), backlogSize); err != nil {
		t.Fatal(err)
	}
}

// committedOf is what readers see in a topic, in order of partition and offset.
func committedOf(t *testing.T, d *deployment, base string) (all []*kgo.Record) {
	t.Helper()
	if err := d.eachCommitted(t.Context(), base, func(r *kgo.Record) { all = append(all, r) }); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b *kgo.Record) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return all
}

func compareRecords(t *testing.T, topic schemas.Topic, got, want []*kgo.Record) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d records, want %d", topic.Base, len(got), len(want))
		return
	}
	for i := range want {
		g, w := got[i], want[i]
		if g.Partition != w.Partition || !bytes.Equal(g.Key, w.Key) {
			t.Fatalf("%s: record %d is of key %q in partition %d, want %q in %d", topic.Base, i, g.Key, g.Partition, w.Key, w.Partition)
		}
		if !reflect.DeepEqual(g.Headers, w.Headers) {
			t.Fatalf("%s: record %d has the headers %s, want %s", topic.Base, i, g.Headers, w.Headers)
		}
		if g, w := comparable(t, topic.Base, g.Value), comparable(t, topic.Base, w.Value); !bytes.Equal(g, w) {
			t.Fatalf("%s: record %d is\n%s\nwant\n%s", topic.Base, i, shown(topic, g), shown(topic, w))
		}
	}
}

// comparable is a record's value without what two programs cannot write alike: ids and times. Where it
// leaves something out, fields are in the order of their numbers: that of the product's is not promised.
func comparable(t *testing.T, base string, value []byte) []byte {
	t.Helper()
	switch base {
	case schemas.Raw:
		return without(t, value, 5, 11) // received_at, delivery_id
	case schemas.DispositionTopic:
		return without(t, value, 18) // decided_at
	}
	return value
}

// without takes fields out of a message, each of which it must have.
func without(t *testing.T, value []byte, fields ...protowire.Number) []byte {
	t.Helper()
	parts, missing := make(map[protowire.Number][]byte), slices.Clone(fields)
	for len(value) > 0 {
		number, _, size := protowire.ConsumeField(value)
		if size < 0 {
			t.Fatalf("a value is no message: %v", protowire.ParseError(size))
		}
		parts[number] = append(parts[number], value[:size]...)
		missing = slices.DeleteFunc(missing, func(n protowire.Number) bool { return n == number })
		value = value[size:]
	}
	if len(missing) > 0 {
		t.Errorf("a message has no fields %v", missing)
	}
	for _, number := range fields {
		delete(parts, number)
	}
	var rest []byte
	for _, number := range slices.Sorted(maps.Keys(parts)) {
		rest = append(rest, parts[number]...)
	}
	return rest
}

func shown(topic schemas.Topic, value []byte) string {
	m := topic.New()
	if err := proto.Unmarshal(value, m); err != nil {
		return fmt.Sprintf("%q (%v)", value, err)
	}
	return prototext.Format(m)
}

// compareClaims compares what both left in Redis: claims that are done, and watermarks.
func compareClaims(t *testing.T, product, floor *deployment) {
	t.Helper()
	got, want := claimsOf(t, floor, floorDB), claimsOf(t, product, 0)
	if marks := backlogSize + 12; len(want) != marks {
		t.Errorf("Redis has %d keys of the product, want %d: a mark for each record, a watermark for each partition", len(want), marks)
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Fatalf("Redis has %q under %q, want %q", got[key], key, want[key])
		}
	}
	if len(got) != len(want) {
		t.Errorf("Redis has %d keys of the floor, want %d", len(got), len(want))
	}
}

// claimsOf are keys and values in a database. Watermarks go without what differs: the id of the topic of
// dispositions, the offset in it, which counts transactions, and the owner.
func claimsOf(t *testing.T, d *deployment, db int) map[string]string {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: d.redis, DB: db})
	defer client.Close()
	id, last := d.lastDispositions(t)
	all := make(map[string]string)
	for keys := client.Scan(t.Context(), 0, claimPrefix+"*", 0).Iterator(); keys.Next(t.Context()); {
		key := keys.Val()
		value, err := client.Get(t.Context(), key).Result()
		ttl := client.TTL(t.Context(), key).Val()
		switch mark := !isClaim(key); {
		case isNote(key):
			continue
		case err != nil:
			t.Fatalf("key %q: %v", key, err)
		case mark && ttl != -1, !mark && (ttl < 15*24*time.Hour || ttl > 16*24*time.Hour):
			t.Errorf("key %q lives for %s", key, ttl)
		case mark:
			_, partition, _ := strings.Cut(key, id+":")
			parts := strings.Split(value, ":")
			if len(parts) != 6 || parts[3] != last[partition] || len(parts[2]) != 16 || len(parts[4]) != 16 {
				t.Errorf("watermark of partition %s is %q, want the last disposition %s, an owner and a fingerprint of 16 digits", partition, value, last[partition])
			}
			key, value = strings.Replace(key, id, "dispositions", 1), parts[1]+" "+parts[4]
		}
		all[key] = value
	}
	return all
}

// isNote reports whether a key was written to see whether Redis can be, or what it evicts. A claim's bytes may be those
// of a note's prefix, too.
func isNote(key string) bool {
	return !isClaim(key) && (key == claimPrefix+"probe" || strings.HasPrefix(key, claimPrefix+"e:"))
}

// TestClaimsAreToldByTheirLength: one claim in 65 536 begins as a note does.
func TestClaimsAreToldByTheirLength(t *testing.T) {
	for key, want := range map[string]bool{
		claimPrefix + "probe":                                   true,
		claimPrefix + "e:" + strings.Repeat("0", 32):            true,
		claimPrefix + "e:" + strings.Repeat("\xff", 14):         false,
		claimPrefix + "group:" + strings.Repeat("0", 64) + ":0": false,
	} {
		if isNote(key) != want {
			t.Errorf("isNote(%q) is %t, want %t", key, !want, want)
		}
	}
}

// lastDispositions is the topic's id in hex, and of each partition the offset of its last disposition.
func (d *deployment) lastDispositions(t *testing.T) (id string, last map[string]string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(d.w.kafka))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic := d.topic(schemas.DispositionTopic)
	topics, err := kadm.NewClient(client).ListTopics(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	last = make(map[string]string)
	for _, r := range committedOf(t, d, schemas.DispositionTopic) {
		last[strconv.Itoa(int(r.Partition))] = strconv.FormatInt(r.Offset, 10)
	}
	return fmt.Sprintf("%x", [16]byte(topics[topic].ID)), last
}
