using System.Net;
using System.Net.Sockets;

namespace LlmPipeline;

/// <summary>Ports of the loopback address: Garnet cannot say which port it got, so one is chosen before.</summary>
internal static class LoopbackPort
{
    /// <summary>A port that nobody listens on at this moment.</summary>
    public static int ChooseFree()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    /// <summary>Whether somebody holds the port at this moment.</summary>
    public static bool IsTaken(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return false;
        }
        catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
        {
            return true;
        }
    }
}
