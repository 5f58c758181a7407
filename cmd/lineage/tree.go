package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proclineage/lineage/answer"
	"github.com/proclineage/lineage/process"
)

// treeFlags are the flags of lineage tree.
type treeFlags struct {
	pids, args, user bool
	by               choice
	match            string
	depth            int // 0 for no limit
	all              bool
	kernel           bool
	exited           time.Duration // 0 to show what there is now alone
	at               string        // a time, empty for now
	from             fromFlags
}

func newTree(a *app) *cobra.Command {
	flags := treeFlags{by: choice{"none", []string{"container", "unit", "session", "none"}}}
	c := &cobra.Command{
		Use:   "tree [TARGET]",
		Short: "The processes below one another",
		Long: `Draw the processes of this host, or those below TARGET, as a tree: a process a
line, the oldest first. There may be more than one root.

Leaves that look the same and have the same parent are drawn once, as "cc1 ×212",
unless --all is given; with --pids all of their PIDs follow. Threads of the
kernel are left out unless --kernel is given or one is the TARGET.

With --exited TIME lineage first watches for that long, or until Ctrl-C, and
draws those that ended meanwhile too, below their last parents: "make † 2" ended
with status 2, "sleep † SIGKILL" by a signal. What ended before lineage watched it
cannot know. TARGET is then what it means when the watch begins.

With --at or --store the processes are those of a history, at that time or as of the
last that is known of the host, and TARGET is a PID or an id.

` + targetHelp,
		Example: `  lineage tree --pids
  lineage tree nginx --args
  lineage tree --by container
  lineage tree --match ssh
  lineage tree --exited 1m --args`,
		Args:              atMostOne("TARGET"),
		ValidArgsFunction: a.completeTargets,
		RunE: func(c *cobra.Command, args []string) error {
			if c.Flags().Changed("depth") && flags.depth < 1 {
				return usagef("--depth %d: it may be 1 or more", flags.depth)
			}
			if err := notEmpty(c, "match"); err != nil {
				return err
			}
			if err := positive(c, "exited"); err != nil {
				return err
			}
			if err := notEmpty(c, "at", "store", "host"); err != nil {
				return err
			}
			past, err := flags.from.past(flags.at)
			if err != nil {
				return err
			}
			if past {
				if flags.exited > 0 {
					return usagef("--exited does not go with --at and --store")
				}
				return a.treeAt(flags, args)
			}
			if flags.exited > 0 {
				return a.treeOfExited(flags, args)
			}
			t, err := a.open()
			if err != nil {
				return err
			}
			defer t.Close()
			if flags.by.value == "container" && a.names != nil {
				a.names.prefetch()
			}
			return drawTree(newFinder(a, t), flags, args)
		},
	}
	f := c.Flags()
	f.BoolVarP(&flags.pids, "pids", "p", false, "show PIDs, and in brackets those inside the container")
	f.BoolVarP(&flags.args, "args", "a", false, "show command lines")
	f.BoolVarP(&flags.user, "user", "u", false, "show users")
	f.Var(&flags.by, "by", "group by container, unit, session or none")
	f.StringVarP(&flags.match, "match", "m", "", "only what has `TEXT` in its name (with --args also in its command line), and what is above it")
	f.IntVarP(&flags.depth, "depth", "d", 0, "only the first `N` levels")
	f.BoolVar(&flags.all, "all", false, "draw each of the leaves that look the same")
	f.BoolVar(&flags.kernel, "kernel", false, "also the threads of the kernel")
	f.DurationVar(&flags.exited, "exited", 0, "watch for `TIME`, such as 10m, and also draw what ended meanwhile")
	f.StringVar(&flags.at, "at", "", "what there was at `TIME`, by the history of the daemon: 10m (ago), 08:15, 2026-01-31T08:15:00Z")
	must(c.RegisterFlagCompletionFunc("at", cobra.NoFileCompletions))
	flags.from.add(c)
	must(c.RegisterFlagCompletionFunc("exited", cobra.NoFileCompletions))
	must(c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(flags.by.allowed, cobra.ShellCompDirectiveNoFileComp)))
	return c
}

func drawTree(finder *finder, flags treeFlags, args []string) error {
	tops, kernel, err := finder.tops(args)
	if err != nil {
		return err
	}
	flags.kernel = flags.kernel || kernel
	all, err := finder.all()
	if err != nil {
		return err
	}
	return drawForest(finder.drawn(newForest(all)), flags, tops)
}

// drawing is a forest that is to be drawn.
type drawing struct {
	app       *app
	forest    *forest
	describer *answer.Describer
	// detailed describes a process by all that can be known of it.
	detailed func(*process.Process) Object
	source   string // in text
	emit     func([]Object) error
}

// drawn is a forest of the finder's tree.
func (f *finder) drawn(of *forest) drawing {
	d := f.a.describer(f.tree)
	return drawing{
		app: f.a, forest: of, describer: d, detailed: d.Detailed, source: sourceLine(f.tree.Source()),
		emit: func(objects []Object) error { return f.a.emit("tree", f.tree.Source(), objects) },
	}
}

// tops returns the processes that the targets mean, and whether one is a thread
// of the kernel.
func (f *finder) tops(targets []string) (tops []process.ID, kernel bool, err error) {
	for _, target := range targets {
		m, err := f.find(target)
		if err != nil {
			return nil, false, err
		}
		for i := range m.processes {
			tops = append(tops, m.processes[i].ID)
			kernel = kernel || m.processes[i].Kernel
		}
	}
	return tops, kernel, nil
}

// drawForest draws what is below the tops, all if there are none.
func drawForest(of drawing, flags treeFlags, tops []process.ID) error {
	a, f, d := of.app, of.forest, of.describer
	if flags.by.value == "container" || a.output.value != "text" {
		d.Prepare(f.procs)
	}
	v := &treeView{flags: flags, forest: f, describer: d}
	if !flags.kernel {
		v.kernel = f.hide(func(p *process.Process) bool { return p.Kernel })
	}
	if len(tops) > 0 {
		if f.keepBelow(tops) == 0 {
			return notFoundf("process %d ended while the others were read", tops[0].PID)
		}
		v.kernel = 0
	}
	if flags.args || flags.user {
		v.readDetails(of.detailed)
	}
	if flags.pids || a.output.value != "text" {
		v.readInner()
	}
	if flags.match != "" && f.keepMatches(v.matcher()) == 0 {
		return notFoundf("no process has %s in its name", quoted(flags.match))
	}
	s := a.screen()
	groves := f.groves(flags.by.value, d)
	if a.output.value != "text" {
		return of.emit(v.objects(groves))
	}
	v.screen = s
	v.write(groves)
	s.line()
	s.sentence("shown", v.summary(), dim)
	s.sentence("source", of.source, dim)
	return nil
}

// readDetails describes all that is shown.
func (v *treeView) readDetails(detailed func(*process.Process) Object) {
	v.detailed = make([]*Object, len(v.forest.procs))
	for i := range v.forest.procs {
		if !v.forest.shown[i] {
			continue
		}
		o := detailed(&v.forest.procs[i])
		v.detailed[i] = &o
	}
}

// readInner reads which PIDs the processes in containers have there.
func (v *treeView) readInner() {
	v.inner = make(map[int32][]int)
	for i := range v.forest.procs {
		p := &v.forest.procs[i]
		if m := v.describer.Whereabouts(p.Cgroup); !v.forest.shown[i] || !m.In() {
			continue
		}
		switch o := v.object(int32(i)); {
		case o != nil:
			v.inner[int32(i)] = o.NamespacePIDs
		case p.NamespacePIDs != nil:
			v.inner[int32(i)] = p.NamespacePIDs
		default:
			d, _ := v.describer.Details(p.ID) // none of who has ended
			v.inner[int32(i)] = d.NamespacePIDs
		}
	}
}

// matcher returns what --match asks for: no difference is made between upper
// and lower case.
func (v *treeView) matcher() func(i int32) bool {
	text := strings.ToLower(v.flags.match)
	return func(i int32) bool {
		if strings.Contains(strings.ToLower(v.forest.procs[i].Name), text) {
			return true
		}
		if o := v.object(i); o != nil && v.flags.args {
			return strings.Contains(strings.ToLower(strings.Join(o.Args, " ")), text)
		}
		return false
	}
}

// objects returns what is shown in the order of the text, and each of the
// leaves that the text has on one line.
func (v *treeView) objects(groves []grove) []Object {
	var list []Object
	var visit func(g *grove, i int32, depth int)
	visit = func(g *grove, i int32, depth int) {
		o := v.object(i)
		if o == nil {
			o = new(v.describer.Process(&v.forest.procs[i]))
			if pids := v.inner[i]; pids != nil {
				o.NamespacePIDs = pids
			}
		}
		o.Depth = &depth
		if v.flags.match != "" {
			o.Match = new(v.forest.hit[i])
		}
		o.Group = optional(g.key)
		list = append(list, *o)
		if v.flags.depth > 0 && depth+1 >= v.flags.depth {
			return
		}
		for c := v.forest.first[i]; c != none; c = v.forest.next[c] {
			visit(g, c, depth+1)
		}
	}
	for g := range groves {
		for _, r := range groves[g].roots {
			visit(&groves[g], r, 0)
		}
	}
	return list
}

// summary counts what is and is not shown.
func (v *treeView) summary() string {
	shown, hits := 0, 0
	for i := range v.forest.procs {
		if v.forest.shown[i] {
			shown++
		}
		if v.forest.hit[i] {
			hits++
		}
	}
	text := plural(shown-v.deeper, "process", "processes")
	if v.flags.match != "" {
		text += ", " + strconv.Itoa(hits) + " of them matching"
	}
	if v.flags.exited > 0 {
		text += ", " + strconv.Itoa(v.forest.ended()) + " of them ended"
	}
	if v.deeper > 0 {
		text += ", " + strconv.Itoa(v.deeper) + " more deeper than --depth"
	}
	if v.kernel > 0 {
		text += ", without " + plural(v.kernel, "thread", "threads") + " of the kernel (--kernel)"
	}
	return text
}
