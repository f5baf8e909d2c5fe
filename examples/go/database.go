package main

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
	_ "modernc.org/sqlite"
)

const tables = `
CREATE TABLE IF NOT EXISTS inbox(event_id TEXT PRIMARY KEY, topic TEXT, partition INTEGER, offset INTEGER);
CREATE TABLE IF NOT EXISTS offsets(topic TEXT, partition INTEGER, next INTEGER, PRIMARY KEY(topic, partition));
CREATE TABLE IF NOT EXISTS decisions(event_id TEXT PRIMARY KEY, endpoint TEXT, subject TEXT, customer_reference TEXT,
	decision TEXT, finality TEXT, acted TEXT, occurred_at TEXT, received_at TEXT);
CREATE TABLE IF NOT EXISTS rejected(topic TEXT, partition INTEGER, offset INTEGER, why TEXT, PRIMARY KEY(topic, partition, offset));`

// A database holds what was decided and how far the topic was read. Other processes may have the same file open.
type database struct{ *sql.DB }

func open(file string) (*database, error) {
	// SQLite has one writer at a time: the others wait.
	db, err := sql.Open("sqlite", "file:"+file+
		"?_txlock=immediate&_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)")
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", file, err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.Exec(tables); err != nil {
		return nil, fmt.Errorf("create the tables of %s: %w", file, err)
	}
	return &database{db}, nil
}

// next is the offset to read next; unknown where nothing of the partition is stored.
func (d *database) next(ctx context.Context, topic string, partition int32) (offset int64, known bool, err error) {
	err = d.QueryRowContext(ctx, `SELECT next FROM offsets WHERE topic = ? AND partition = ?`, topic, partition).Scan(&offset)
	if err == sql.ErrNoRows {
		return 0, false, nil
	}
	return offset, err == nil, err
}

// adjust continues newly assigned partitions where the database says. What the group has committed, or its
// start, counts where it says nothing.
func (d *database) adjust(ctx context.Context, topics map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	for topic, partitions := range topics {
		for p := range partitions {
			next, known, err := d.next(ctx, topic, p)
			if err != nil {
				return nil, fmt.Errorf("read the next offset of %s %d: %w", topic, p, err)
			}
			if known {
				partitions[p] = kgo.NewOffset().At(next)
			}
		}
	}
	return topics, nil
}

// A transaction keeps its first error and does nothing after it.
type transaction struct {
	ctx context.Context
	tx  *sql.Tx
	err error
}

// transaction keeps all that write does, or nothing of it.
func (d *database) transaction(ctx context.Context, write func(*transaction) error) error {
	tx, err := d.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after a commit
	t := &transaction{ctx: ctx, tx: tx}
	if err := write(t); err != nil {
		return err
	}
	if t.err != nil {
		return t.err
	}
	return tx.Commit()
}

func (t *transaction) exec(query string, args ...any) (changed int64) {
	if t.err != nil {
		return 0
	}
	result, err := t.tx.ExecContext(t.ctx, query, args...)
	if err == nil {
		changed, err = result.RowsAffected()
	}
	t.err = err
	return changed
}

// isNew notes an event, and says whether it was not there before. A copy is ignored, not an error: that would roll
// the offset back, and the same record would come again for ever.
func (t *transaction) isNew(eventID, topic string, partition int32, offset int64) bool {
	return t.exec(`INSERT INTO inbox VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, eventID, topic, partition, offset) == 1
}

func (t *transaction) decide(eventID string, v *verdict) {
	t.exec(`INSERT INTO decisions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, eventID, v.endpoint, v.subject,
		v.customerReference, v.decision, v.finality, v.acted, v.occurredAt, v.receivedAt)
}

func (t *transaction) reject(topic string, partition int32, offset int64, why string) {
	t.exec(`INSERT INTO rejected VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`, topic, partition, offset, why)
}

// moveTo never moves backwards, should a member that was thrown out of the group end its batch late.
func (t *transaction) moveTo(topic string, partition int32, next int64) {
	t.exec(`INSERT INTO offsets VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = max(next, excluded.next)`, topic, partition, next)
}
