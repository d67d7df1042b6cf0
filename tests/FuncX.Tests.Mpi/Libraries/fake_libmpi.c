/* Just enough of an MPI with MPICH's binary interface for one process to send itself messages. With SIZE there are other ranks to send to: a message comes back as if from the rank that it
   was sent to. Each other definition makes it wrong in one way:
   VERSION, STANDARD, GRANTED, RANK, SELF_SIZE, SOURCE_AT, TAG_AT, STATUS_INTS, WIDE_HANDLES, NULL_REQUEST, SPOIL, LOSE, INIT_FAILS, FAILING_TAG.
   Sends with FAILING_TAG arrive and fail; with LOSES they do not arrive, with REFUSES MPI_Isend does not take them, and with SPOILS_RECEIVES only those receives fail that MPI_Imrecv
   began. FAILING_FIRST and FAILING_LAST: of those with the tag, counted from 1. FLIPS: a text that arrives as another, the first time that it is sent.
   OPEN_MPI: it has Open MPI's binary interface instead; 1: but for all handles except the world's. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#ifndef VERSION
#define VERSION "MPICH Version: fake"
#endif
#ifdef OPEN_MPI
char ompi_mpi_comm_world[64];
#if OPEN_MPI > 1
char ompi_mpi_comm_self[64], ompi_mpi_byte[64], ompi_mpi_errors_return[64], ompi_request_null[64];
#define SELF ((int)(long)ompi_mpi_comm_self)
#define NULL_REQUEST ((long)ompi_request_null)
#endif
/* { int MPI_SOURCE, MPI_TAG, MPI_ERROR, _cancelled; size_t _ucount; } */
#define SOURCE_AT 0
#define TAG_AT 1
#define ERROR_AT 2
#define COUNT_AT 4
#define STATUS_INTS 6
#define WIDE_HANDLES
#endif
#ifndef SELF
#define SELF 0x44000001
#endif
#ifndef ERROR_AT
#define ERROR_AT 4
#endif
#ifndef COUNT_AT
#define COUNT_AT 0
#endif
#ifndef GRANTED
#define GRANTED 1
#endif
#ifndef RANK
#define RANK 0
#endif
#ifndef SIZE
#define SIZE 1
#endif
#ifndef SELF_SIZE
#define SELF_SIZE 1
#endif
#ifndef SOURCE_AT
#define SOURCE_AT 2
#endif
#ifndef TAG_AT
#define TAG_AT 3
#endif
#ifndef STATUS_INTS
#define STATUS_INTS 5
#endif
#ifndef NULL_REQUEST
#define NULL_REQUEST 0x2c000000
#endif
#ifndef FAILING_TAG
#define FAILING_TAG -1
#endif
#ifndef FAILING_FIRST
#define FAILING_FIRST 1
#endif
#ifndef FAILING_LAST
#define FAILING_LAST INT_MAX
#endif
#define RECEIVING (1 << 30)
#ifdef WIDE_HANDLES
typedef long handle;
#else
typedef int handle;
#endif

static struct { char *bytes; int count, to, tag, lost, failed, receive_failed; } *sent;
static int sends, received, tagged;
#ifdef FLIPS
static int flipped;
#endif

static void fill(int *status, int source, int tag, int count, int error)
{
    for (int i = 0; i < STATUS_INTS; i++)
        status[i] = 0;
    status[COUNT_AT] = count;
    status[SOURCE_AT] = source;
    status[TAG_AT] = tag;
    status[ERROR_AT] = error;
}

#ifdef STANDARD
int MPI_Abi_get_version(int *major, int *minor) { *major = STANDARD; *minor = 0; return 0; }
#endif

int MPI_Initialized(int *flag) { *flag = 0; return 0; }

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
{
    *provided = GRANTED;
#ifdef INIT_FAILS
    return INIT_FAILS;
#else
    return 0;
#endif
}

int MPI_Finalize(void) { return 0; }
int MPI_Abort(int communicator, int code) { return 0; }
int MPI_Get_library_version(char *text, int *length) { strcpy(text, VERSION); *length = strlen(text); return 0; }
int MPI_Get_processor_name(char *text, int *length) { strcpy(text, "fake"); *length = 4; return 0; }
int MPI_Comm_rank(int communicator, int *rank) { *rank = communicator == SELF ? 0 : RANK; return 0; }
int MPI_Comm_size(int communicator, int *size) { *size = communicator == SELF ? SELF_SIZE : SIZE; return 0; }
int MPI_Comm_set_errhandler(int communicator, int handler) { return 0; }
int MPI_Error_string(int code, char *text, int *length) { strcpy(text, "the fake's text"); *length = strlen(text); return 0; }
int MPI_Error_class(int code, int *class) { *class = code; return 0; }
int MPI_Type_size(int type, int *size) { *size = 1; return 0; }
int MPI_Send(const void *body, int count, int type, int to, int tag, int communicator) { return 0; }
int MPI_Recv(void *body, int count, int type, int from, int tag, int communicator, int *status) { return 0; }
int MPI_Mprobe(int from, int tag, int communicator, handle *message, int *status) { return 0; }
int MPI_Bcast(void *body, int count, int type, int root, int communicator) { return 0; }
int MPI_Barrier(int communicator) { return 0; }

static int is_failing(int tag) { return tag == FAILING_TAG && ++tagged >= FAILING_FIRST && tagged <= FAILING_LAST; }

int MPI_Isend(const void *body, int count, int type, int to, int tag, int communicator, handle *request)
{
    int fails = 0;
#ifndef SPOILS_RECEIVES
    fails = is_failing(tag);
#endif
#ifdef REFUSES
    if (fails)
        return 77;
#endif
    sent = realloc(sent, (sends + 1) * sizeof(*sent));
    sent[sends].bytes = malloc(count + 1);
    memcpy(sent[sends].bytes, body, count);
    sent[sends].count = count;
    sent[sends].to = to;
    sent[sends].tag = tag;
    sent[sends].failed = fails;
    sent[sends].lost = sent[sends].receive_failed = 0;
#ifdef FLIPS
    for (int at = 0; !flipped && at + (int)strlen(FLIPS) <= count; at++)
        if ((flipped = !memcmp(sent[sends].bytes + at, FLIPS, strlen(FLIPS))))
            sent[sends].bytes[at] ^= 1;
#endif
#ifdef LOSES
    sent[sends].lost = fails;
#endif
    *request = sends++;
    return 0;
}

int MPI_Improbe(int from, int tag, int communicator, int *flag, handle *message, int *status)
{
#ifdef LOSE
    *flag = 0;
#else
    while (received < sends && sent[received].lost)
        received++;
    *flag = received < sends;
    *message = received;
    if (*flag)
        fill(status, sent[received].to, sent[received].tag, sent[received].count, 0);
#endif
    return 0;
}

static void take(void *body, int message)
{
    memcpy(body, sent[message].bytes, sent[message].count);
    free(sent[message].bytes);
    sent[message].bytes = 0;
    received++;
}

int MPI_Mrecv(void *body, int count, int type, handle *message, int *status)
{
    take(body, *message);
#ifdef SPOIL
    ((char *)body)[3] ^= 1;
#endif
    fill(status, sent[*message].to, sent[*message].tag, sent[*message].count, 0);
    *message = 0x2c000000;
    return 0;
}

int MPI_Imrecv(void *body, int count, int type, handle *message, handle *request)
{
    take(body, *message);
#ifdef SPOILS_RECEIVES
    if ((sent[*message].receive_failed = is_failing(sent[*message].tag)))
        memset(body, 0, count);
#endif
    *request = *message | RECEIVING;
    *message = 0x2c000000;
    return 0;
}

int MPI_Get_count(const int *status, int type, int *count) { *count = status[COUNT_AT]; return 0; }

int MPI_Test(handle *request, int *flag, int *status)
{
    *flag = 1;
    fill(status, 0, 0, 0, 0);
    *request = NULL_REQUEST;
    return 0;
}

/* All but the first are finished; what has failed has error 77. Indices in falling order, which is allowed. */
int MPI_Testsome(int count, handle *requests, int *finished, int *indices, int *statuses)
{
    int failed = 0;
    *finished = 0;
    for (int i = count - 1; i >= (count > 1); i--)
    {
        int message = requests[i] & ~RECEIVING;
        int error = (requests[i] & RECEIVING ? sent[message].receive_failed : sent[message].failed) ? 77 : 0;
        failed |= error;
        fill(statuses + STATUS_INTS * *finished, 0, 0, 0, error);
        indices[(*finished)++] = i;
        requests[i] = NULL_REQUEST;
    }
    return failed ? 17 : 0;
}
