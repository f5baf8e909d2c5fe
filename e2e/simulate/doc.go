// Package simulate runs hours of traffic and faults in seconds. The production ingest, normaliser and replay,
// with the production Kafka and Redis clients, live in one testing/synctest bubble, where time jumps ahead
// whenever nobody has anything to do: brokers are kfake on its VirtualNetwork, Redis is miniredis on pipes,
// vendors talk HTTP over pipes. A seed makes a plan of deliveries
// and faults; at the end an oracle reads every topic. A seed that fails prints itself and what happened,
// and the same seed gives the same deliveries and faults again. The order in which goroutines run is not
// part of the seed, so a failure may need several runs to come back.
//
// Beside connections, processes and servers that fail, a plan has
//
//   - replays, which fill gaps or emit again under live traffic, die at any request to Kafka or Redis, and are
//     run again, also several at once. Their gaps are dead letters of an earlier version's mappings, and records
//     that every session passes over; copies of these come later. When the faults are over, each is run to its
//     end, and two more fill what is left and find nothing to do;
//   - a Redis that refuses a part of what it is asked: for want of memory, of the right to scripts or to MULTI,
//     or because a slot migrates. What is refused after MULTI spoils the transaction, as with Redis 7;
//   - processes and replays that are started with another pepper, and must refuse;
//   - clocks that are days apart, up to the life of a claim, in everything that a process stamps, while Redis
//     loses or takes back what it knew;
//   - offsets of the group that somebody sets back, or forward.
//
// It is a package of tests only. To run, they need the tag synctests, under which franz-go waits for its
// locks on channels: a goroutine that waits for a sync.Mutex holds the bubble's clock, and the library
// holds some while the group rebalances. TestSimulation, which needs no tag, runs the others with it.
//
// What cannot be virtual, and is therefore left to the fault suite over real processes:
//
//   - SIGKILL. Here a process dies by losing all its connections in the same instant; what it still does
//     in its own memory reaches nobody. Files, ports and exit codes are not simulated.
//   - SIGSTOP. A paused process here cannot send, yet its own timers run: the bubble has one clock.
//   - Clocks that run at different speeds, for the same reason. How long something waits is measured by the
//     bubble's clock; only what is stamped is a process's own, and an ingest whose clock is behind stamps its
//     deliveries with it, but not its Kafka records. Redis's clock never jumps: marks that expire before
//     their time are a loss nobody can see, which the design excludes by the length of their life.
//   - A Redis Cluster: there is one shard, and a slot that migrates refuses its keys with ASK.
//   - Replication: kfake has none, so no broker lags or loses what it acknowledged; and a kill of the
//     broker itself, whose open transactions kfake does not bring back as Kafka does.
//   - Memory, CPU and disk: full disks, slow consumers, back-pressure by size.
//   - Several slots in one process while a crashing record is searched for: the slots wait for each other
//     on a sync.RWMutex of our own, which would hold the clock. The simulated processes have one slot each
//     with the search, or two without.
package simulate
