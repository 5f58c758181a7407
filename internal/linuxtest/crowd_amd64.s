#include "textflag.h"

// The system calls of amd64.
#define read 0
#define getpid 39
#define sendto 44
#define wait4 61
#define getppid 110
#define prctl 157
#define exit_group 231
#define ppoll 271
#define clone3 435

#define EINTR -4

// func chain(c *crowd)
TEXT ·chain(SB),NOSPLIT,$0-8
	MOVQ	c+0(FP), R12
next:
	CMPQ	88(R12), $0
	JEQ	last
	MOVL	$clone3, AX
	MOVQ	R12, DI
	MOVL	$88, SI
	SYSCALL
	CMPQ	AX, $0
	JEQ	child
	JLT	failed
wait:
	MOVL	$wait4, AX
	MOVQ	$-1, DI
	XORL	SI, SI
	MOVL	$0x40000000, DX // __WALL
	XORL	R10, R10
	SYSCALL
	CMPQ	AX, $EINTR
	JEQ	wait
exit:
	MOVL	$exit_group, AX
	XORL	DI, DI
	SYSCALL
	JMP	exit
child:
	DECQ	88(R12)
	INCQ	128(R12)
	MOVL	$getpid, AX
	SYSCALL
	MOVQ	AX, 136(R12)
	MOVL	$getppid, AX
	SYSCALL
	MOVQ	AX, 144(R12)
send:
	MOVL	$sendto, AX
	MOVQ	96(R12), DI
	LEAQ	112(R12), SI
	MOVL	$64, DX
	MOVL	$0x4000, R10 // MSG_NOSIGNAL
	XORL	R8, R8
	XORL	R9, R9
	SYSCALL
	CMPQ	AX, $EINTR
	JEQ	send
	JMP	next
failed:
	NEGQ	AX
	MOVQ	AX, 128(R12)
	MOVQ	$6, 112(R12) // opAnswer
	MOVQ	$0, 88(R12)
	JMP	send
last:
	MOVL	$read, AX
	MOVQ	96(R12), DI
	LEAQ	112(R12), SI
	MOVL	$64, DX
	SYSCALL
	CMPQ	AX, $EINTR
	JEQ	last
	CMPQ	AX, $0
	JGT	last
	JMP	exit

// func spawn(c *crowd) int
TEXT ·spawn(SB),NOSPLIT,$0-16
	MOVQ	c+0(FP), R12
	MOVL	$clone3, AX
	MOVQ	R12, DI
	MOVL	$88, SI
	SYSCALL
	CMPQ	AX, $0
	JEQ	child
	MOVQ	AX, ret+8(FP)
	RET
child:
	CMPQ	88(R12), $0
	JEQ	exit
	MOVL	$prctl, AX
	MOVL	$1, DI // PR_SET_PDEATHSIG
	MOVL	$9, SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	SYSCALL
	MOVL	$getppid, AX
	SYSCALL
	CMPQ	AX, 104(R12)
	JNE	exit // the parent ended before that
stay:
	MOVL	$ppoll, AX
	XORL	DI, DI
	XORL	SI, SI
	XORL	DX, DX
	XORL	R10, R10
	XORL	R8, R8
	SYSCALL
	JMP	stay
exit:
	MOVL	$exit_group, AX
	XORL	DI, DI
	SYSCALL
	JMP	exit
