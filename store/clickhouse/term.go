package clickhouse

import (
	"fmt"
	"regexp/syntax"
	"strconv"
	"strings"
	"time"

	"github.com/proclineage/lineage/store"
)

const (
	// line is the command line.
	line = "arrayStringConcat(args, ' ')"
	// outcome is what an exit is compared by: the status, or 256 and the signal.
	outcome = "multiIf(bitAnd(exit_status, 127) = 0, toInt64(bitAnd(bitShiftRight(exit_status, 8), 255)), " +
		"bitAnd(exit_status, 127) != 127, toInt64(256 + bitAnd(exit_status, 127)), toInt64(-1))"
	signalled = 256
	// maxPattern is how long a regular expression may be that the server looks for.
	maxPattern = 1000
)

// lived is for how long a process lived, in nanoseconds.
func (s *Store) lived(now time.Time) string {
	return fmt.Sprintf("multiIf(start = 0, toInt64(0), exit = 'unknown', toInt64(%d) - %s, exit_at = 0, toInt64(0), toInt64(exit_at - start))",
		now.UnixNano(), s.nanoseconds("began"))
}

// term is a condition that holds wherever the term does. It holds elsewhere as well
// where the name or the arguments are not ASCII, of which the server knows less.
func (s *Store) term(t *store.Term, now time.Time) string {
	number, isSignal := t.Number()
	switch t.Field {
	case store.ExitStatus:
		if isSignal {
			number += signalled
		}
		return fmt.Sprintf("(exit = 'observed' AND %s %s %d)", outcome, t.Op, number)
	case store.Lived:
		return fmt.Sprintf("%s %s %d", s.lived(now), t.Op, number)
	case store.Text, store.Match:
		is := s.mentions(t)
		switch {
		case is == "":
			return "1"
		case t.Op == store.NotEqual:
			return "(plain = 0 OR NOT (" + is + "))"
		}
		return "(plain = 0 OR " + is + ")"
	default:
	}
	is := s.equal(t)
	if t.Op == store.NotEqual {
		return "NOT (" + is + ")"
	}
	return "(" + is + ")"
}

// mentions is a condition for processes whose name and arguments are ASCII, empty
// where the server cannot tell.
func (s *Store) mentions(t *store.Term) string {
	if t.Field == store.Text {
		value := strings.ToLower(t.Value)
		if !isASCII(value) {
			return "0"
		}
		value = quote(value)
		return "positionCaseInsensitive(name, " + value + ") > 0 OR positionCaseInsensitive(" + line + ", " + value + ") > 0"
	}
	// This way of writing says what . means, which it has another meaning for.
	parsed, err := syntax.Parse(t.Value, syntax.Perl)
	if err != nil || len(parsed.String()) > maxPattern || !isASCII(parsed.String()) {
		return ""
	}
	pattern := quote(parsed.String())
	return "match(name, " + pattern + ") OR match(" + line + ", " + pattern + ")"
}

// equal is the condition that a term with = holds.
func (s *Store) equal(t *store.Term) string {
	value := quote(t.Value)
	switch t.Field {
	case store.PID:
		number, _ := t.Number()
		return fmt.Sprintf("pid = %d OR inner_pid = %d", number, number)
	case store.Name:
		return named(t.Value)
	case store.InContainer:
		return "startsWith(container, " + value + ") OR " + s.contained("name = "+value)
	case store.Pod:
		return s.contained("pod_name = " + value + " OR pod = " + value)
	case store.Namespace:
		return s.contained("namespace = " + value)
	case store.Unit:
		either := "(" + value + ", " + quote(t.Value+".service") + ")"
		return "unit IN " + either + " OR user_unit IN " + either
	case store.Session:
		return "login_session = " + value
	case store.User:
		is := "user = " + value
		if n, err := strconv.Atoi(t.Value); err == nil && strconv.Itoa(n) == t.Value {
			is += fmt.Sprintf(" OR owner_known = 1 AND euid = %d", n)
		}
		return is
	case store.StateIs:
		if t.Value == "running" {
			return "exit = 'unknown'"
		}
		return "exit != 'unknown'"
	default: // the others are not compared by = alone
	}
	return "1"
}

// contained is the condition that the container, as its host tells of it, is one for
// which the other holds.
func (s *Store) contained(where string) string {
	return "container != '' AND (host, container) IN (SELECT host, id FROM " + s.local("containers") + " FINAL WHERE " + where + ")"
}

// named is the condition that a process is called so, see [store.Process.Named].
func named(name string) string {
	return "name = " + quote(name) + " OR program = " + quote(name)
}
