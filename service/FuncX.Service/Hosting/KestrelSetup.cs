using System.Net;
using FuncX.Telemetry;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FuncX.Service.Hosting;

/// <summary>The listening side: HTTP/2 only, plain on loopback, TLS everywhere else.</summary>
internal static class KestrelSetup
{
    // Links and result streams move megabytes between two round trips; the default windows (128 KiB and 96 KiB) would stop them.
    private const int ConnectionWindow = 16 << 20;
    private const int StreamWindow = 8 << 20;

    /// <exception cref="ServiceRefusedException">The address is not loopback and there is no certificate.</exception>
    public static void Check(ServiceSettings settings)
    {
        if (settings.Certificate is null && !IPAddress.IsLoopback(settings.Listen.Address))
        {
            throw new ServiceRefusedException(
                $"{settings.Listen} is not a loopback address, and without a certificate tokens would travel in the clear. Set certificate in service.yaml, or listen on 127.0.0.1.");
        }
    }

    /// <exception cref="ServiceRefusedException">The certificate cannot be used.</exception>
    public static void Configure(KestrelServerOptions kestrel, ServiceSettings settings)
    {
        Http2(kestrel.Limits);
        kestrel.AddServerHeader = false;
        kestrel.AllowAlternateSchemes = false;
        var identity = settings.Certificate?.Load();
        kestrel.Listen(settings.Listen, listener =>
        {
            listener.Protocols = HttpProtocols.Http2;
            if (identity is { } loaded)
            {
                listener.UseHttps(https =>
                {
                    https.ServerCertificate = loaded.Certificate;
                    https.ServerCertificateChain = loaded.Chain;
                });
            }
        });
        if (settings.Telemetry.PrometheusListen is { } page)
            kestrel.ListenForMetrics(page);
    }

    private static void Http2(KestrelServerLimits limits)
    {
        limits.Http2.InitialConnectionWindowSize = ConnectionWindow;
        limits.Http2.InitialStreamWindowSize = StreamWindow;
        limits.Http2.MaxStreamsPerConnection = 1_000;
        // A peer that vanished without a word is found out within a minute.
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);
        limits.MaxResponseBufferSize = 1 << 20;
        // Streams live as long as their clients and may be silent for hours; gRPC bounds each message itself.
        limits.MaxRequestBodySize = null;
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
    }
}
