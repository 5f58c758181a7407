package lineage_test

import (
	"fmt"
	"log"
	"os"

	"github.com/proclineage/lineage"
	"github.com/proclineage/lineage/cgroup"
	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/runtimes"
)

func Example() {
	tree, err := lineage.NewTree(lineage.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	ancestors, err := tree.Ancestors(os.Getpid()) // nearest first
	if err != nil {
		log.Fatal(err) // or an IncompleteError, beside what is known
	}
	fmt.Println(ancestors[0].ID.PID == os.Getppid(), ancestors[0].Parent.Evidence)
	// Output: true scanned
}

func ExampleTree_FindAllAncestorProcessIDsInSameCgroup() {
	tree, err := lineage.NewTree(lineage.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	pids, err := tree.FindAllAncestorProcessIDsInSameCgroup(os.Getpid())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(pids != nil)
	// Output: true
}

func ExampleTree_Lineage() {
	tree, err := lineage.NewTree(lineage.Options{Source: "procfs"})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	steps, err := tree.Lineage(os.Getpid())
	if err != nil {
		log.Fatal(err)
	}
	// procfs cannot tell who made the process from who adopted it.
	fmt.Println(steps[0].Process.ID.PID == os.Getpid(), steps[1].Gap)
	// Output: true true
}

func ExampleTree_Processes() {
	tree, err := lineage.NewTree(lineage.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	all, err := tree.Processes()
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range all {
		if id := cgroup.Identify(p.Cgroup.Group); id.Container != "" {
			log.Println(p.ID.PID, p.Name, "runs in", id.Runtime, id.Container)
		}
	}
	fmt.Println(len(all) > 0)
	// Output: true
}

func ExampleTree_Container() {
	sockets, err := runtimes.Open(runtimes.Find("/"))
	if err != nil {
		log.Fatal(err)
	}
	names := container.Watch(container.NamesOptions{Runtimes: sockets})
	defer names.Close()
	tree, err := lineage.NewTree(lineage.Options{Containers: names})
	if err != nil {
		log.Fatal(err)
	}
	defer tree.Close()
	self, err := tree.Process(os.Getpid())
	if err != nil {
		log.Fatal(err)
	}
	if where := tree.Container(&self); where.In() {
		log.Println("in container", where.Container.String()) // as far as its runtime has answered
	} else {
		log.Println("on the host, in unit", where.Unit.Name)
	}
	fmt.Println(self.ID.PID == os.Getpid())
	// Output: true
}
