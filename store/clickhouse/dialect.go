package clickhouse

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
)

// A dialect is what differs between the versions of ClickHouse. The schema is
// written for today's; an old server gets the same tables without what it does not
// know: expiry, codecs, comments, indexes of granules, and text that is kept once.
// One between has all of that, and looks at indexes only where it is asked for what
// never changes, which is correct and slower.
type dialect struct {
	old bool
	// exact says that with FINAL it can look at indexes and still answers right.
	exact bool
}

// oldBefore is the first year whose versions are today's.
const oldBefore = 23

// dialectOf is that of the version, as version() in SQL has it.
func dialectOf(version string) dialect {
	major, _, _ := strings.Cut(version, ".")
	year, err := strconv.Atoi(major)
	return dialect{old: err == nil && year < oldBefore}
}

// exactMode is the setting that came with 25.6, and to some before that later.
const exactMode = "use_skip_indexes_if_final_exact_mode"

// A kind is what a column holds.
type kind int

const (
	text     kind = iota // any bytes
	word                 // any bytes, and the same in many rows
	keyKind              // a key
	hourKind             // seconds since the epoch, a full hour
	wallKind             // nanoseconds since the epoch
	evidence             // process.Evidence
	reach                // how far the ancestors reach
	flag
	number   // UInt64
	integer  // Int64
	small    // UInt8
	keys     // of keys
	texts    // of text
	textses  // of texts
	numbers  // of number
	integers // of integer
	flags    // of flag
)

const evidenceType = "Enum8('unknown' = 0, 'inferred' = 1, 'scanned' = 2, 'observed' = 3)"

// kinds are the types by kind.
var kinds = [...]string{
	text: "String", word: "LowCardinality(String)", keyKind: "FixedString(16)", hourKind: "DateTime('UTC')", wallKind: "DateTime64(9, 'UTC')",
	evidence: evidenceType, reach: "Enum8('unknown' = 0, 'all' = 1, 'cut' = 2)", flag: "UInt8", number: "UInt64", integer: "Int64", small: "UInt8",
	keys: "Array(FixedString(16))", texts: "Array(String)", textses: "Array(Array(String))", numbers: "Array(UInt64)", integers: "Array(Int64)", flags: "Array(UInt8)",
}

func (d dialect) typeOf(k kind) string {
	if d.old {
		switch k {
		case word:
			return kinds[text]
		case wallKind:
			return kinds[integer]
		default:
		}
	}
	return kinds[k]
}

// define is a column as CREATE TABLE has it.
func (d dialect) define(c *column) string {
	s := c.name + " " + d.typeOf(c.kind)
	if d.old {
		return s // where replicas do not agree on comments
	}
	if c.comment != "" {
		s += " COMMENT " + quote(c.comment)
	}
	return s + " CODEC(" + c.codec + ")"
}

// walls are times as the driver takes them for a column of wallKind.
func (d dialect) walls(nanoseconds []int64) any {
	if d.old {
		return nanoseconds
	}
	times := make([]time.Time, len(nanoseconds))
	for i, ns := range nanoseconds {
		times[i] = time.Unix(0, ns).UTC()
	}
	return times
}

// wallCell is one of these.
func (d dialect) wallCell(nanoseconds int64) any {
	if d.old {
		return nanoseconds
	}
	return time.Unix(0, nanoseconds).UTC()
}

// selected is an expression by which a column is read.
func (d dialect) selected(c *column) string {
	switch c.kind {
	case hourKind:
		return "toUInt32(" + c.name + ")"
	case wallKind:
		return d.nanoseconds(c.name)
	default:
		return c.name
	}
}

// nanoseconds is a column of wallKind as a number.
func (d dialect) nanoseconds(column string) string {
	if d.old {
		return column
	}
	return "toUnixTimestamp64Nano(" + column + ")"
}

// wall is a literal for a column of wallKind.
func (d dialect) wall(nanoseconds int64) string {
	if d.old {
		return fmt.Sprint(nanoseconds)
	}
	return fmt.Sprintf("fromUnixTimestamp64Nano(%d, 'UTC')", nanoseconds)
}

// arrival is the column that expiry goes by.
func (d dialect) arrival() string {
	if d.old {
		return ""
	}
	return ", arrived DateTime DEFAULT now() COMMENT 'when the row was written, by the clock of the server' CODEC(Delta, ZSTD(1))"
}

// expiry is the clause by which rows go that arrived so long ago. The clock of the host
// does not count: it may be wrong.
func (d dialect) expiry(keep time.Duration) string {
	if d.old || keep < 0 {
		return ""
	}
	return fmt.Sprintf(" TTL arrived + INTERVAL %d SECOND DELETE", int64(keep/time.Second))
}

// settings are those of every question. An old server takes only numbers, and none
// that it does not know.
func (d dialect) settings(own driver.Settings) driver.Settings {
	all := driver.Settings{
		"max_query_size":          64 << 20, // keys are long
		"max_ast_elements":        2_000_000,
		"insert_distributed_sync": 1,
		"max_insert_block_size":   1 << 24,
	}
	if d.old {
		all["optimize_move_to_prewhere"] = 0 // what can change is asked for after FINAL
	} else {
		maps.Copy(all, driver.Settings{
			"max_expanded_ast_elements":                    2_000_000,
			"max_partitions_per_insert_block":              0, // processes are of the days on which they began
			"do_not_merge_across_partitions_select_final":  1,
			"optimize_move_to_prewhere_if_final":           0,
			"async_insert":                                 0,
			"mutations_sync":                               2,
			"load_balancing":                               "in_order", // who writes reads what was written
			"cancel_http_readonly_queries_on_client_close": 1,
		})
	}
	if d.exact {
		all["use_skip_indexes_if_final"], all[exactMode] = 1, 1
	}
	maps.Copy(all, own)
	return all
}

// readonly are the settings of a question by HTTP: the server ends only those that
// change nothing when nobody waits for the answer any more.
func (d dialect) readonly() driver.Settings {
	if d.old {
		return nil
	}
	return driver.Settings{"readonly": 2, "cancel_http_readonly_queries_on_client_close": 1}
}

// once are the settings of a batch that a server is to take only once.
func (d dialect) once(token string) driver.Settings {
	if d.old {
		return driver.Settings{}
	}
	return driver.Settings{"insert_deduplication_token": token}
}
