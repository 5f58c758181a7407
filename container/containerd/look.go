package containerd

import (
	"context"
	"errors"
	"fmt"

	containers "github.com/containerd/containerd/api/services/containers/v1"
	tasks "github.com/containerd/containerd/api/services/tasks/v1"
	"github.com/containerd/containerd/api/types/task"

	"github.com/proclineage/lineage/container"
	"github.com/proclineage/lineage/container/internal/rpc"
)

// A list is what was taken in of the namespaces so far.
type list struct {
	conn *rpc.Conn
	all  []container.Container
	size int // of what is kept of them, in bytes
}

// add takes in a namespace. The containers come one by one: each has its whole
// OCI spec with it, so that a few thousand are more than containerd can send as
// one message.
func (l *list) add(ctx context.Context, namespace string) error {
	at := make(map[string]int)
	err := rpc.Stream(ctx, l.conn, listContainers, &containers.ListContainersRequest{}, func(m *containers.ListContainerMessage) error {
		c := ofContainer(namespace, m.GetContainer())
		l.size += size(c)
		if len(l.all) == container.MaxContainers || l.size > rpc.MaxList {
			return fmt.Errorf("%w: over %d, or over %d bytes", container.ErrTooMany, container.MaxContainers, rpc.MaxList)
		}
		at[c.ID] = len(l.all)
		l.all = append(l.all, c)
		return nil
	})
	if err != nil {
		return err
	}
	// The tasks after them: else a process of a container that is gone could
	// be taken for that of a new one with its ID.
	return rpc.Each(ctx, l.conn, listTasks, &tasks.ListTasksRequest{}, func(p *task.Process) error {
		if i, ok := at[p.GetID()]; ok {
			setTask(&l.all[i], p)
		}
		return nil
	})
}

// size returns how many bytes of text are kept of a container.
func size(c container.Container) int {
	n := len(c.ID) + len(c.Image)
	for k, v := range c.Labels {
		n += len(k) + len(v)
	}
	return n
}

func inspect(ctx context.Context, c *rpc.Conn, namespace, id string) (container.Container, error) {
	var reply containers.GetContainerResponse
	if err := c.Call(ctx, askContainer, &containers.GetContainerRequest{ID: id}, &reply); err != nil {
		return container.Container{}, err
	}
	if reply.GetContainer().GetID() != id {
		return container.Container{}, container.ErrNotFound
	}
	found := ofContainer(namespace, reply.GetContainer())
	var of tasks.GetResponse
	switch err := c.Call(ctx, askTask, &tasks.GetRequest{ContainerID: id}, &of); {
	case err == nil:
		setTask(&found, of.GetProcess())
	case !errors.Is(err, container.ErrNotFound): // else nothing runs in it
		return container.Container{}, err
	}
	return found, nil
}
