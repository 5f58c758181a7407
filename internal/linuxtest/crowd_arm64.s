#include "textflag.h"

// The system calls of arm64.
#define read 63
#define ppoll 73
#define exit_group 94
#define prctl 167
#define getpid 172
#define getppid 173
#define sendto 206
#define wait4 260
#define clone3 435

#define EINTR 4

// func chain(c *crowd)
TEXT ·chain(SB),NOSPLIT,$0-8
	MOVD	c+0(FP), R19
next:
	MOVD	88(R19), R1
	CBZ	R1, last
	MOVD	$clone3, R8
	MOVD	R19, R0
	MOVD	$88, R1
	SVC
	CBZ	R0, child
	TBNZ	$63, R0, failed
wait:
	MOVD	$wait4, R8
	MOVD	$-1, R0
	MOVD	ZR, R1
	MOVD	$0x40000000, R2 // __WALL
	MOVD	ZR, R3
	SVC
	CMN	$EINTR, R0
	BEQ	wait
exit:
	MOVD	$exit_group, R8
	MOVD	ZR, R0
	SVC
	B	exit
child:
	MOVD	88(R19), R1
	SUB	$1, R1
	MOVD	R1, 88(R19)
	MOVD	128(R19), R1
	ADD	$1, R1
	MOVD	R1, 128(R19)
	MOVD	$getpid, R8
	SVC
	MOVD	R0, 136(R19)
	MOVD	$getppid, R8
	SVC
	MOVD	R0, 144(R19)
send:
	MOVD	$sendto, R8
	MOVD	96(R19), R0
	ADD	$112, R19, R1
	MOVD	$64, R2
	MOVD	$0x4000, R3 // MSG_NOSIGNAL
	MOVD	ZR, R4
	MOVD	ZR, R5
	SVC
	CMN	$EINTR, R0
	BEQ	send
	B	next
failed:
	NEG	R0, R0
	MOVD	R0, 128(R19)
	MOVD	$6, R1 // opAnswer
	MOVD	R1, 112(R19)
	MOVD	ZR, 88(R19)
	B	send
last:
	MOVD	$read, R8
	MOVD	96(R19), R0
	ADD	$112, R19, R1
	MOVD	$64, R2
	SVC
	CMN	$EINTR, R0
	BEQ	last
	CMP	$0, R0
	BGT	last
	B	exit

// func spawn(c *crowd) int
TEXT ·spawn(SB),NOSPLIT,$0-16
	MOVD	c+0(FP), R19
	MOVD	$clone3, R8
	MOVD	R19, R0
	MOVD	$88, R1
	SVC
	CBZ	R0, child
	MOVD	R0, ret+8(FP)
	RET
child:
	MOVD	88(R19), R1
	CBZ	R1, exit
	MOVD	$prctl, R8
	MOVD	$1, R0 // PR_SET_PDEATHSIG
	MOVD	$9, R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	SVC
	MOVD	$getppid, R8
	SVC
	MOVD	104(R19), R1
	CMP	R1, R0
	BNE	exit // the parent ended before that
stay:
	MOVD	$ppoll, R8
	MOVD	ZR, R0
	MOVD	ZR, R1
	MOVD	ZR, R2
	MOVD	ZR, R3
	MOVD	ZR, R4
	SVC
	B	stay
exit:
	MOVD	$exit_group, R8
	MOVD	ZR, R0
	SVC
	B	exit
