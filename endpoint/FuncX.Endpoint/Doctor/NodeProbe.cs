using System.Globalization;
using System.Net;
using FuncX.Configuration;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>
/// The program that the doctor's job starts in the place of a manager, on every node: bash, since that is what every node has. It prints what it sees, which the batch script's own
/// lines bring into <c>node-N.log</c>.
/// </summary>
internal static class NodeProbe
{
    /// <summary>The script that <see cref="PythonProbe"/> has, beside it.</summary>
    public const string PythonFile = "python.sh";

    // The manager dials for longer; a firewall that drops is told from a slow network by this too.
    private const int ConnectSeconds = 5;
    private const int PythonSeconds = 90;

    /// <summary>The program, whole.</summary>
    /// <param name="directory">Where it and <see cref="PythonFile"/> lie, as nodes see it.</param>
    /// <param name="targets">Where the doctor listens.</param>
    /// <param name="word">What it says to whoever connects, before the time: somebody else may listen at that port of the node.</param>
    public static string Script(EndpointConfiguration configuration, string directory, IEnumerable<IPEndPoint> targets, string word) => $$"""
        #!/bin/bash
        # Of funcx-endpoint doctor --job: what this node sees. It is started as a manager is: --rendezvous FILE --node NAME --directory DIRECTORY ...
        echo
        echo "{{MarkedOutput.Mark}}node $4"
        file={{ShellText.Quote(configuration.StateDirectory)}}/.doctor-$4-$$
        if problem=$( { : >"$file"; } 2>&1 ); then rm -f "$file"; echo "{{MarkedOutput.Mark}}state"; else echo "{{MarkedOutput.Mark}}state ${problem##*: }"; fi
        echo "{{MarkedOutput.Mark}}glibc $(getconf GNU_LIBC_VERSION 2>/dev/null)"
        for target in {{string.Join(' ', targets.Select(static target => $"{target.Address}/{target.Port.ToString(CultureInfo.InvariantCulture)}"))}}; do
            answer=$(timeout {{ConnectSeconds}} bash -c 'exec 3<>"/dev/tcp/$0" && IFS= read -r line <&3 && printf %s "$line"' "$target" 2>&1)
            now=$(date +%s%3N)
            case $answer in
                "{{word}} "*) echo "{{MarkedOutput.Mark}}reached $target $((now - ${answer#* }))" ;;
                "") echo "{{MarkedOutput.Mark}}unreached $target no answer within {{ConnectSeconds}} s" ;;
                *) answer=${answer##*$'\n'}; echo "{{MarkedOutput.Mark}}unreached $target ${answer##*: }" ;;
            esac
        done
        timeout {{PythonSeconds}} bash {{ShellText.Quote(Path.Combine(directory, PythonFile))}} </dev/null 2>&1
        status=$?
        echo
        echo "{{MarkedOutput.Mark}}done $status"

        """;
}
