package sink

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// repeatAfter is how long a warning of the library is not repeated. In an outage
// every client makes one a second, for as long as it lasts.
const repeatAfter = 30 * time.Second

// kafkaLog passes on the library's log lines: errors and warnings as warnings, each
// text at most every repeatAfter, and the lines of every transaction at debug level.
type kafkaLog struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time // by text; the texts are constants of the library
}

func newKafkaLog(log *slog.Logger) *kafkaLog {
	return &kafkaLog{log: log, last: map[string]time.Time{}}
}

// Level says which lines are worth making.
func (l *kafkaLog) Level() kgo.LogLevel {
	if l.log.Enabled(context.Background(), slog.LevelDebug) {
		return kgo.LogLevelInfo
	}
	return kgo.LogLevelWarn
}

// Log takes one line of the library.
func (l *kafkaLog) Log(level kgo.LogLevel, msg string, keyvals ...any) {
	at := slog.LevelDebug
	if (level == kgo.LogLevelError || level == kgo.LogLevelWarn) && l.due(msg) {
		at = slog.LevelWarn
	}
	l.log.Log(context.Background(), at, "kafka: "+msg, keyvals...)
}

// due reports whether a text was not shown lately.
func (l *kafkaLog) due(msg string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if last, seen := l.last[msg]; seen && now.Sub(last) < repeatAfter {
		return false
	}
	l.last[msg] = now
	return true
}
