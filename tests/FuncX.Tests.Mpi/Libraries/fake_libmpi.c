/* Just enough of an MPI with MPICH's binary interface for one process to send itself messages. Each definition makes it wrong in one way:
   VERSION, STANDARD, GRANTED, RANK, SELF_SIZE, SOURCE_AT, TAG_AT, STATUS_INTS, WIDE_HANDLES, NULL_REQUEST, SPOIL, LOSE, INIT_FAILS, FAILING_TAG. */
#include <string.h>

#ifndef VERSION
#define VERSION "MPICH Version: fake"
#endif
#ifndef GRANTED
#define GRANTED 1
#endif
#ifndef RANK
#define RANK 0
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
#ifdef WIDE_HANDLES
typedef long handle;
#else
typedef int handle;
#endif

static struct { char bytes[256]; int count, tag; } sent[16];
static int sends, received;

static void fill(int *status, int tag, int count, int error)
{
    for (int i = 0; i < STATUS_INTS; i++)
        status[i] = 0;
    status[0] = count;
    status[SOURCE_AT] = 0;
    status[TAG_AT] = tag;
    status[4] = error;
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
int MPI_Comm_rank(int communicator, int *rank) { *rank = communicator == 0x44000001 ? 0 : RANK; return 0; }
int MPI_Comm_size(int communicator, int *size) { *size = communicator == 0x44000001 ? SELF_SIZE : 1; return 0; }
int MPI_Comm_set_errhandler(int communicator, int handler) { return 0; }
int MPI_Error_string(int code, char *text, int *length) { strcpy(text, "the fake's text"); *length = strlen(text); return 0; }
int MPI_Error_class(int code, int *class) { *class = code; return 0; }
int MPI_Type_size(int type, int *size) { *size = 1; return 0; }
int MPI_Send(const void *body, int count, int type, int to, int tag, int communicator) { return 0; }
int MPI_Recv(void *body, int count, int type, int from, int tag, int communicator, int *status) { return 0; }
int MPI_Mprobe(int from, int tag, int communicator, handle *message, int *status) { return 0; }
int MPI_Bcast(void *body, int count, int type, int root, int communicator) { return 0; }
int MPI_Barrier(int communicator) { return 0; }

int MPI_Isend(const void *body, int count, int type, int to, int tag, int communicator, handle *request)
{
    memcpy(sent[sends].bytes, body, count);
    sent[sends].count = count;
    sent[sends].tag = tag;
    *request = sends++;
    return 0;
}

int MPI_Improbe(int from, int tag, int communicator, int *flag, handle *message, int *status)
{
#ifdef LOSE
    *flag = 0;
#else
    *flag = received < sends;
    *message = received;
    fill(status, sent[received].tag, sent[received].count, 0);
#endif
    return 0;
}

int MPI_Mrecv(void *body, int count, int type, handle *message, int *status)
{
    memcpy(body, sent[*message].bytes, sent[*message].count);
#ifdef SPOIL
    ((char *)body)[3] ^= 1;
#endif
    fill(status, sent[*message].tag, sent[*message].count, 0);
    *message = 0x2c000000;
    received++;
    return 0;
}

int MPI_Imrecv(void *body, int count, int type, handle *message, handle *request) { return 1; }
int MPI_Get_count(const int *status, int type, int *count) { *count = status[0]; return 0; }

int MPI_Test(handle *request, int *flag, int *status)
{
    *flag = 1;
    fill(status, 0, 0, 0);
    *request = NULL_REQUEST;
    return 0;
}

/* All but the first are finished; one with FAILING_TAG has failed with error 77. Indices in falling order, which is allowed. */
int MPI_Testsome(int count, handle *requests, int *finished, int *indices, int *statuses)
{
    int failed = 0;
    *finished = 0;
    for (int i = count - 1; i >= (count > 1); i--)
    {
        int error = sent[requests[i]].tag == FAILING_TAG ? 77 : 0;
        failed |= error;
        fill(statuses + STATUS_INTS * *finished, 0, 0, error);
        indices[(*finished)++] = i;
        requests[i] = NULL_REQUEST;
    }
    return failed ? 17 : 0;
}
