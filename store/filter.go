package store

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proclineage/lineage/process"
)

// A Filter says which processes are meant: those for which every term holds.
type Filter []Term

// A Term is one thing that must hold of a process. It is made by [ParseTerm] and
// [ParseQuery], which check it.
type Term struct {
	// Field is what is compared, Op how, and Value with what.
	Field Field
	Op    Op
	Value string

	number int64 // of a PID, a status or a signal, in nanoseconds of a time
	signal bool  // number is a signal's
	match  *regexp.Regexp
}

// A Field is what a term is about.
type Field string

const (
	// Text is the name and the command line: it holds the value, whatever the
	// case of its letters.
	Text Field = "text"
	// Match is the same: the value is a regular expression that is found in it.
	Match Field = "match"
	// PID is the PID, in the PID namespace of whoever wrote the history or in the
	// innermost one that the process is in.
	PID Field = "pid"
	// Name is the name (comm), or the last part of the path of its program.
	Name Field = "name"
	// InContainer is the name of the container, or the beginning of its ID.
	InContainer Field = "container"
	// Pod is the name of the pod, or its UID.
	Pod Field = "pod"
	// Namespace is that of Kubernetes.
	Namespace Field = "namespace"
	// Unit is the unit of systemd, or of the user's own; ".service" may be left
	// out.
	Unit Field = "unit"
	// Session is the login session of systemd.
	Session Field = "session"
	// User is the name of the effective user, or the ID.
	User Field = "user"
	// ExitStatus is the exit status, or the name of the signal that ended it. A
	// signal is not equal to any status, and more than each. Of a process of which
	// it is not known, no term holds.
	ExitStatus Field = "exit"
	// Lived is for how long it lived, as a duration such as 1.5s. One that has
	// not ended lives until now.
	Lived Field = "lived"
	// StateIs is "running" or "ended".
	StateIs Field = "state"
)

// An Op is a comparison.
type Op string

// The comparisons. What has no order is compared with the first two only.
const (
	Equal    Op = "="  // Equal is =.
	NotEqual Op = "!=" // NotEqual is !=.
	Less     Op = "<"  // Less is <.
	AtMost   Op = "<=" // AtMost is <=.
	More     Op = ">"  // More is >.
	AtLeast  Op = ">=" // AtLeast is >=.
)

// fields has what each field is compared by, in the order of help texts.
var fields = []struct {
	Field
	ordered bool
}{
	{Text, false}, {Match, false}, {PID, false}, {Name, false}, {InContainer, false}, {Pod, false}, {Namespace, false}, {Unit, false},
	{Session, false}, {User, false}, {ExitStatus, true}, {Lived, true}, {StateIs, false},
}

// Fields are the names of all fields.
func Fields() []Field {
	var all []Field
	for _, f := range fields {
		all = append(all, f.Field)
	}
	return all
}

// fieldNames are the names of all fields, and of what else a question may have.
func fieldNames() string {
	var b strings.Builder
	for _, f := range Fields() {
		b.WriteString(string(f) + ", ")
	}
	return b.String() + "ancestor, since, until, host"
}

// ParseTerm returns the term about a field. Its error wraps ErrQuery.
func ParseTerm(field Field, op Op, value string) (Term, error) {
	t := Term{Field: field, Op: op, Value: value}
	i := slices.IndexFunc(fields, func(f struct {
		Field
		ordered bool
	}) bool {
		return f.Field == field
	})
	switch {
	case i < 0:
		return t, fmt.Errorf("%w: there is nothing called %q to ask for: there are %s; put it in quotes if it is text", ErrQuery, string(field), fieldNames())
	case value == "":
		return t, fmt.Errorf("%w: %s%s says nothing to compare with", ErrQuery, field, op)
	case op != Equal && op != NotEqual && !fields[i].ordered:
		return t, fmt.Errorf("%w: %s is compared with = and != only", ErrQuery, field)
	}
	var err error
	switch field {
	case PID:
		t.number, err = strconv.ParseInt(value, 10, 32)
		if err != nil || t.number < 1 {
			err = errors.New("pid is a number, 1 or more")
		}
	case ExitStatus:
		t.number, err = strconv.ParseInt(value, 10, 32)
		if err != nil {
			name := strings.ToUpper(value)
			if !strings.HasPrefix(name, "SIG") {
				name = "SIG" + name
			}
			t.number, t.signal = int64(unix.SignalNum(name)), true
			err = nil
			if t.number == 0 {
				err = errors.New("it is a status or the name of a signal")
			}
		}
	case Lived:
		var d time.Duration
		if d, err = time.ParseDuration(value); err != nil {
			err = errors.New("it is a duration such as 1.5s")
		}
		t.number = int64(d)
	case Match:
		t.match, err = regexp.Compile(value)
	case StateIs:
		if value != "running" && value != "ended" {
			err = errors.New("it is running or ended")
		}
	default: // any text
	}
	if err != nil {
		return t, fmt.Errorf("%w: %s%s%s: %w", ErrQuery, field, op, value, err)
	}
	return t, nil
}

// Number is the PID, the status, the number of the signal or the nanoseconds that
// the value says, and whether that is a signal.
func (t *Term) Number() (n int64, isSignal bool) { return t.number, t.signal }

// Holds reports whether every term holds of the process, now.
func (f Filter) Holds(p *Process, now time.Time) bool {
	for i := range f {
		if !f[i].Holds(p, now) {
			return false
		}
	}
	return true
}

// Holds reports whether the term holds of the process, now.
func (t *Term) Holds(p *Process, now time.Time) bool {
	switch t.Field {
	case ExitStatus:
		return t.exit(&p.Exit)
	case Lived:
		return t.compare(int64(p.Lived(now)) - t.number)
	default:
		return t.is(p) == (t.Op == Equal)
	}
}

func (t *Term) is(p *Process) bool {
	switch t.Field {
	case Text:
		return p.mentions(t.Value)
	case Match:
		return t.match.MatchString(p.Name) || t.match.MatchString(p.CommandLine())
	case PID:
		n := int(t.number)
		return p.ID.PID == n || len(p.NamespacePIDs) > 0 && p.NamespacePIDs[len(p.NamespacePIDs)-1] == n
	case Name:
		return p.Named(t.Value)
	case InContainer:
		return p.Container != "" && (strings.HasPrefix(p.Container, t.Value) || p.Stored != nil && p.Stored.Name == t.Value)
	case Pod:
		return p.Stored != nil && (p.Stored.PodName == t.Value || p.Stored.PodUID == t.Value)
	case Namespace:
		return p.Stored != nil && p.Stored.Namespace == t.Value
	case Unit:
		return isUnit(p.Unit, t.Value) || isUnit(p.UserUnit, t.Value)
	case Session:
		return p.Session == t.Value
	case User:
		return p.User == t.Value || p.Owner.Known && strconv.Itoa(p.Owner.EffectiveUID) == t.Value
	case StateIs:
		return (p.Exit.Evidence != process.Unknown) == (t.Value == "ended")
	default: // ExitStatus and Lived are compared by Holds
	}
	return false
}

func isUnit(unit, value string) bool {
	return unit == value || unit != "" && unit == value+".service"
}

func (t *Term) exit(x *process.Exit) bool {
	if x.Evidence != process.Observed {
		return false
	}
	const signalled = 1 << 8 // more than any status
	is, than := int64(x.Status.ExitStatus()), t.number
	if x.Status.Signaled() {
		is = signalled + int64(x.Status.Signal())
	}
	if t.signal {
		than += signalled
	}
	return t.compare(is - than)
}

// compare reports whether the operation holds for a difference.
func (t *Term) compare(difference int64) bool {
	switch t.Op {
	case Equal:
		return difference == 0
	case NotEqual:
		return difference != 0
	case Less:
		return difference < 0
	case AtMost:
		return difference <= 0
	case More:
		return difference > 0
	case AtLeast:
		return difference >= 0
	}
	return false
}

// Command is what the process ran last, zero where that is not known.
func (p *Process) Command() process.Command {
	if len(p.Execs) == 0 {
		return process.Command{}
	}
	return p.Execs[len(p.Execs)-1]
}

// Named reports whether that is its name (comm), or the last part of the path of its
// program.
func (p *Process) Named(name string) bool {
	return p.Name == name || path.Base(p.Command().File) == name
}

// CommandLine is the arguments of that with spaces between them.
func (p *Process) CommandLine() string { return strings.Join(p.Command().Args, " ") }

// Lived is for how long it lived, or has lived now. Of one that has ended the boot
// clock tells, whatever the wall clock was set to meanwhile. It is zero where that
// is not known.
func (p *Process) Lived(now time.Time) time.Duration {
	switch {
	case p.ID.Start == 0:
		return 0
	case p.Exit.Evidence == process.Unknown:
		return now.Sub(p.Began)
	case p.Exit.At == 0:
		return 0
	}
	return time.Duration(p.Exit.At - p.ID.Start)
}

func (p *Process) mentions(text string) bool {
	text = strings.ToLower(text)
	return strings.Contains(strings.ToLower(p.Name), text) || strings.Contains(strings.ToLower(p.CommandLine()), text)
}
