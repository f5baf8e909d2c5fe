package sink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/kycbridge/kycbridge/internal/record"
	"github.com/kycbridge/kycbridge/schemas"
)

const readers = "readers"

// transacted writes records with these values to a partition of the session topic, in a transaction of its own, and
// waits for its marker.
func transacted(t *testing.T, o Options, partition int32, end kgo.TransactionEndTry, values ...string) {
	t.Helper()
	client, err := kgo.NewClient(o.client(kgo.TransactionalID("writer"))...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	for _, value := range values {
		r := &kgo.Record{Topic: o.Topic(schemas.Session), Partition: partition, Key: []byte("shop/1"), Value: []byte(value)}
		if err := client.ProduceSync(testContext(t), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	if err := client.EndTransaction(testContext(t), end); err != nil {
		t.Fatal(err)
	}
	admin, topic := kadm.NewClient(client), o.Topic(schemas.Session)
	for ctx := testContext(t); ; {
		stable, err := admin.ListCommittedOffsets(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		ends, err := admin.ListEndOffsets(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		if stable[topic][partition].Offset == ends[topic][partition].Offset {
			return
		}
	}
}

func openGroup(t *testing.T, o Options) *GroupReader {
	t.Helper()
	g, err := OpenGroupReader(testContext(t), o, readers, []string{schemas.Session, schemas.Check})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// rest takes what is left for a group, to the end.
func rest(t *testing.T, g *GroupReader) (values []string) {
	t.Helper()
	ctx := testContext(t)
	for {
		done, err := g.Reached(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if done {
			slices.Sort(values)
			return values
		}
		if err := g.Each(ctx, 1000, func(r record.Record) bool { values = append(values, string(r.Value)); return true }); err != nil {
			t.Fatal(err)
		}
	}
}

// lag is what the group has not committed of the session topic, by partition.
func lag(t *testing.T, o Options) map[int32]int64 {
	t.Helper()
	r := openReader(t, o)
	ends, err := r.Ends(testContext(t), schemas.Session)
	if err != nil {
		t.Fatal(err)
	}
	committed, err := r.Committed(testContext(t), readers, schemas.Session)
	if err != nil {
		t.Fatal(err)
	}
	for partition, at := range committed {
		ends[partition] -= at
	}
	return ends
}

// TestGroupReaderResumes: the oldest record first, committed ones alone, and to the very end, where the marker of an
// aborted transaction stands; a later reader has what came after.
func TestGroupReaderResumes(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		transacted(t, o, 0, kgo.TryCommit, "a", "b")
		transacted(t, o, 1, kgo.TryCommit, "c")
		transacted(t, o, 1, kgo.TryAbort, "never", "was")
		first := openGroup(t, o)
		if got := rest(t, first); !slices.Equal(got, []string{"a", "b", "c"}) {
			t.Errorf("the first reader has %q, want a, b, c", got)
		}
		first.Close()
		if left := lag(t, o); !maps.Equal(left, map[int32]int64{0: 0, 1: 0}) {
			t.Errorf("the group is behind by %v, want nothing", left)
		}
		transacted(t, o, 0, kgo.TryAbort, "nor", "this")
		transacted(t, o, 0, kgo.TryCommit, "d")
		if got := rest(t, openGroup(t, o)); !slices.Equal(got, []string{"d"}) {
			t.Errorf("the second reader has %q, want d", got)
		}
	})
}

// TestGroupReaderCommitsWhatWasTaken: no more and no less, also at the end of the context.
func TestGroupReaderCommitsWhatWasTaken(t *testing.T) {
	for name, stop := range map[string]func(context.CancelFunc) bool{
		"refused":   func(context.CancelFunc) bool { return false },
		"cancelled": func(cancel context.CancelFunc) bool { cancel(); return true },
	} {
		t.Run(name, func(t *testing.T) {
			_, o := fake(t)
			transacted(t, o, 0, kgo.TryCommit, "a", "b", "c", "d")
			g := openGroup(t, o)
			ctx, cancel := context.WithCancel(testContext(t))
			defer cancel()
			var had []string
			take := func(r record.Record) bool {
				if had = append(had, string(r.Value)); len(had) == 3 {
					return stop(cancel)
				}
				return true
			}
			for len(had) == 0 {
				if err := g.Each(ctx, 1000, take); err != nil {
					t.Fatal(err)
				}
			}
			g.Close()
			want := map[string][]string{"refused": {"c", "d"}, "cancelled": {"d"}}[name]
			if got := rest(t, openGroup(t, o)); len(had) != 3 || !slices.Equal(got, want) {
				t.Errorf("of %q three were to be taken, and %q are left, want %q", had, got, want)
			}
		})
	}
}

// TestGroupReadersShare: two members have each record once between them, and each of them some.
func TestGroupReadersShare(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		var want, got []string
		for n := range 60 {
			want = append(want, fmt.Sprintf("%02d", n))
			transacted(t, o, int32(n%2), kgo.TryCommit, want[n])
		}
		members := []*GroupReader{openGroup(t, o), openGroup(t, o)}
		had := make([]int, len(members))
		for ctx, reached := testContext(t), 0; reached < len(members); {
			reached = 0
			for n, member := range members { // record by record, so that each finds some however late it has joined
				if err := member.Each(ctx, 1, func(r record.Record) bool {
					had[n]++
					got = append(got, string(r.Value))
					return true
				}); err != nil {
					t.Fatal(err)
				}
				done, err := member.Reached(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if done {
					reached++
				}
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || had[0] == 0 || had[1] == 0 {
			t.Errorf("the members have %v records, %q, want each of %d once, and some for each member", had, got, len(want))
		}
	})
}

// TestGroupReaderKickedOut: records whose offsets the group no longer takes come again, to whoever has the partition.
func TestGroupReaderKickedOut(t *testing.T) {
	for _, why := range []*kerr.Error{kerr.UnknownMemberID, kerr.IllegalGeneration, kerr.RebalanceInProgress} {
		t.Run(why.Message, func(t *testing.T) {
			cluster, o := fake(t)
			transacted(t, o, 0, kgo.TryCommit, "a")
			refuse(cluster.ControlKey, why)
			if got := rest(t, openGroup(t, o)); !slices.Equal(got, []string{"a", "a"}) {
				t.Errorf("the reader has %q, want a twice", got)
			}
		})
	}
}

// TestGroupReaderCannotCommit: an error that no other member explains is told, and says what follows.
func TestGroupReaderCannotCommit(t *testing.T) {
	cluster, o := fake(t)
	transacted(t, o, 0, kgo.TryCommit, "a")
	refuse(cluster.ControlKey, kerr.GroupAuthorizationFailed)
	g := openGroup(t, o)
	for {
		n := 0
		err := g.Each(testContext(t), 10, func(record.Record) bool { n++; return true })
		if n == 0 && err == nil {
			continue
		}
		if !errors.Is(err, kerr.GroupAuthorizationFailed) || !strings.Contains(err.Error(), "come again") {
			t.Errorf("after %d records the error is %v", n, err)
		}
		return
	}
}

// refuse answers the next commit of offsets with an error.
func refuse(control func(int16, func(kmsg.Request) (kmsg.Response, error, bool)), with *kerr.Error) {
	control(int16(kmsg.OffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		asked, ok := req.(*kmsg.OffsetCommitRequest)
		if !ok {
			return nil, nil, false
		}
		resp := asked.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, topic := range asked.Topics {
			answer := kmsg.OffsetCommitResponseTopic{Topic: topic.Topic, TopicID: topic.TopicID}
			for _, p := range topic.Partitions {
				answer.Partitions = append(answer.Partitions, kmsg.OffsetCommitResponseTopicPartition{Partition: p.Partition, ErrorCode: with.Code})
			}
			resp.Topics = append(resp.Topics, answer)
		}
		return resp, nil, true
	})
}

// TestGroupReaderOfAnotherTopic: an offset behind the end belongs to a topic that is gone.
func TestGroupReaderOfAnotherTopic(t *testing.T) {
	_, o := fake(t)
	transacted(t, o, 1, kgo.TryCommit, "a")
	if err := openReader(t, o).Commit(testContext(t), readers, schemas.Session, map[int32]int64{1: 17}); err != nil {
		t.Fatal(err)
	}
	_, err := OpenGroupReader(testContext(t), o, readers, []string{schemas.Check, schemas.Session})
	if !errors.Is(err, ErrTopicChanged) || !strings.Contains(err.Error(), "offset 17 of topic kyc.session.v1 partition 1, which ends at 2") {
		t.Errorf("the error is %v", err)
	}
}

// TestGroupReaderAfterRetention: what was removed is not waited for.
func TestGroupReaderAfterRetention(t *testing.T) {
	onEach(t, func(t *testing.T, o Options) {
		transacted(t, o, 0, kgo.TryCommit, "a", "b")
		g := openGroup(t, o)
		admin := kadm.NewClient(openReader(t, o).client)
		all := kadm.Offsets{}
		all.AddOffset(o.Topic(schemas.Session), 0, 3, -1)
		if _, err := admin.DeleteRecords(testContext(t), all); err != nil {
			t.Fatal(err)
		}
		if got := rest(t, g); len(got) != 0 {
			t.Errorf("the reader has %q of what was removed", got)
		}
	})
}

// TestGroupReaderWantsTopics: a topic that is not there is told at once.
func TestGroupReaderWantsTopics(t *testing.T) {
	_, o := fake(t)
	o.TopicPrefix = "elsewhere."
	if _, err := OpenGroupReader(testContext(t), o, readers, []string{schemas.Session}); Classify(err) != ClassUnknownTopic {
		t.Errorf("the error is %v, want one of a missing topic", err)
	}
}
