using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether the service can be reached from here; and by the same answer, its clock.</summary>
internal sealed class ServiceCheck(EndpointConfiguration configuration, IMachine machine) : IDoctorCheck
{
    public string Name => "service";

    public async Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        var answer = await machine.AskAsync(configuration.Service, cancellation);
        return [Reached(answer), ClockCheck.Of(answer)];
    }

    private Finding Reached(ServiceAnswer answer)
    {
        var service = configuration.Service;
        return answer.Reach switch
        {
            ServiceReach.Answered => Finding.Ok(Name, $"{service} answers"),
            ServiceReach.NameUnknown => Finding.Problem(Name, $"{service}: its name has no address here: {answer.Said}", "check the spelling of 'service' in the file, and this machine's name servers (/etc/resolv.conf)"),
            ServiceReach.NotTrusted => Finding.Problem(Name, $"{service}: there is no TLS connection to be trusted: {answer.Said}",
                "check that 'service' names the right host and port; a certificate of the site's own authority is named by SSL_CERT_FILE"),
            ServiceReach.NotHttp2 => Finding.Problem(Name, $"{service}: what answers there does not speak HTTP/2: {answer.Said}", "check host and port of 'service' in the file; a proxy before the service must pass on HTTP/2 (gRPC)"),
            ServiceReach.TooLate => Finding.Problem(Name, $"{service}: {answer.Said}", "ask whether a firewall lets this machine out to that port; a proxy of the site is named by https_proxy"),
            _ => Finding.Problem(Name, $"{service}: nobody takes the connection: {answer.Said}", "start the service, or correct 'service' in the file; a proxy of the site is named by https_proxy"),
        };
    }
}
