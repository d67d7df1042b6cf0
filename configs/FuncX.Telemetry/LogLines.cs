using FuncX.Configuration;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace FuncX.Telemetry;

/// <summary>How the programs write their messages: a line each, with its time in UTC.</summary>
public static class LogLines
{
    private const string Time = "yyyy-MM-ddTHH:mm:ss.fffZ";

    /// <summary>Writes to the console, or to what has taken its place.</summary>
    public static void AddLines(this ILoggingBuilder logging, LogFormat format)
    {
        if (format == LogFormat.Json)
        {
            logging.AddJsonConsole(static json =>
            {
                json.UseUtcTimestamp = true;
                json.TimestampFormat = Time;
            });
            return;
        }

        logging.AddSimpleConsole(static console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = Time + " ";
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
    }
}
