using FuncX.Configuration;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether the endpoint is registered, or there is a token to do that with; files of either are private.</summary>
internal sealed class TokenCheck(EndpointConfiguration configuration, string? tokenFile) : IDoctorCheck
{
    public string Name => "token";

    public Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation) => Task.FromResult<IReadOnlyList<Finding>>([Examine()]);

    private Finding Examine()
    {
        var path = Path.Combine(configuration.StateDirectory, "identity.json");
        try
        {
            if (PrivateFile.ReadJson<IdentityFile>(path) is { } identity && identity.Service == configuration.Service && identity.Name == configuration.Name)
                return Finding.Ok(Name, $"registered at {identity.Service} as {identity.EndpointId}; {path} is private");
            return EndpointRegistration.ReadToken(configuration.Service, tokenFile) is { } token
                ? Finding.Ok(Name, $"not registered yet, for which there is the token in {token.Source}, which is private")
                : Finding.Problem(Name, $"endpoint '{configuration.Name}' is not registered yet, and there is no token for {configuration.Service}", EndpointRegistration.HowToLogIn);
        }
        catch (Exception problem) when (problem is InvalidDataException or EndpointRefusedException or IOException or UnauthorizedAccessException)
        {
            return Finding.Refused(Name, problem.Message, EndpointRegistration.HowToLogIn);
        }
    }
}
